import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redactError, redactJson, redactor, Secrets } from "../../src/run/redact.js";

const SECRET = "s3cr3t/of+headgate";

describe("a secret", () => {
  it.each<readonly [string, (text: string) => string]>([
    ["as it is", (text) => text],
    ["in JSON", (text) => JSON.stringify(`"${text}"`)],
    ["percent-encoded", encodeURIComponent],
    ["in a form", (text) => new URLSearchParams({ value: text }).toString()],
    ["in base64", (text) => Buffer.from(text).toString("base64")],
    ["in base64url", (text) => Buffer.from(text).toString("base64url")],
    ["in base64, one byte further", (text) => Buffer.from(`u${text}:and more`).toString("base64")],
    ["in base64, two bytes further", (text) => Buffer.from(`me${text}:and more`).toString("base64")],
    ["in basic authentication", (text) => Buffer.from(`user:${text}`).toString("base64")],
  ])("is hidden %s", (_, encoded) => {
    const text = `before ${encoded(SECRET)} after`;
    const clean = redactor([SECRET])(text);
    expect(clean).toMatch(/^before .*\[redacted\].* after$/);
    expect(clean).not.toContain(encoded(SECRET));
    const found = Buffer.from(/[\w+/-]{12,}/.exec(clean.replace("[redacted]", " "))?.[0] ?? "", "base64").toString("latin1");
    expect(found).not.toContain(SECRET.slice(0, 8));
  });

  it("is hidden line by line, when it has several", () => {
    const key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----";
    expect(redactor([key])("line 2: AoIBAQC7VJTUt9Us8cKj")).toBe("line 2: [redacted]");
  });

  it("is hidden in names, numbers and errors with their causes, and nothing else is copied", () => {
    const redact = redactor([SECRET, "271828182845"]);
    expect(redactJson({ [SECRET]: 271828182845, list: [1, { at: new URL(`https://x/${SECRET}`) }] }, redact)).toEqual({
      "[redacted]": "[redacted]",
      list: [1, { at: "https://x/[redacted]" }],
    });
    const clean = redactError(new TypeError(`no ${SECRET}`, { cause: Object.assign(new Error(SECRET), { detail: SECRET }) }), redact);
    expect(clean).toBeInstanceOf(TypeError);
    expect(JSON.stringify([clean.message, clean.stack, clean.cause, (clean.cause as Error).message])).not.toContain(SECRET);
    for (const one of [{ a: [1, "x"] }, new Error("harmless", { cause: new Error("too") })]) expect(redactJson(one, redact)).toBe(one);
  });

  it("in something that refers to itself ends the search", () => {
    const circle: Record<string, unknown> = {};
    Object.assign(circle, { one: circle, other: circle });
    expect(JSON.stringify(redactJson(circle, redactor([SECRET]))).length).toBeLessThan(10_000_000);
  });

  it("is hidden wherever a text was cut within it", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, maxLength: 40 }),
        fc.integer({ min: 4, max: 39 }),
        fc.constantFrom("start", "end"),
        (secret, length, cut) => {
          const part = cut === "start" ? secret.slice(-length) : secret.slice(0, length);
          const text = cut === "start" ? `${part} tail` : `head ${part}`;
          const clean = redactor([secret])(text, cut);
          expect(cut === "start" ? clean.startsWith("[redacted]") : clean.endsWith("[redacted]")).toBe(true);
        },
      ),
    );
  });

  it("in an address is hidden by its name or its place, given or not", () => {
    const redact = redactor([]);
    expect(redact("GET https://x.example/y?a=1&access_token=abc&b=2 and ?key=abc&X-Amz-Signature=abc")).toBe(
      "GET https://x.example/y?a=1&access_token=[redacted]&b=2 and ?key=[redacted]&X-Amz-Signature=[redacted]",
    );
    expect(redact("https://ghp_0123456789abcdef@git.example/x postgres://me:pw@db/x")).toBe(
      "https://[redacted]@git.example/x postgres://me:[redacted]@db/x",
    );
    expect(redact("https://x.example/y?page=2&monkey=abc&keyboard=us")).toBe("https://x.example/y?page=2&monkey=abc&keyboard=us");
  });

  it("is not taken for one that is merely held, when it is short, a number, a usual word or an exception", () => {
    const secrets = new Secrets(["word"], ["sales_daily"]);
    secrets.hold(["eu-1", "20260302", "Production", "sales_daily", "held-secret"]);
    expect(secrets.redact("word eu-1 20260302 production Production sales_daily held-secret")).toBe(
      "[redacted] eu-1 20260302 production Production sales_daily [redacted]",
    );
    secrets.replace(["other"]);
    expect(secrets.redact("word other sales_daily held-secret")).toBe("word [redacted] [redacted] [redacted]");
  });

  it("costs little to look for: a hundred of them in 100 kB take less than 50 ms", () => {
    const redact = redactor(Array.from({ length: 100 }, (_, nth) => `secret number ${nth} of many`));
    const text = "a line of output without anything in it, as most of them are\n".repeat(1_600);
    redact(text);
    const times = Array.from({ length: 5 }, () => {
      const began = performance.now();
      redact(text);
      return performance.now() - began;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });
});
