import { anyJson, type Extremes, type Generator, NASTY, type Operation } from "./generator.js";

/** A request that a `fetch` handler can be given. */
export interface Hostile {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string | null;
}

const HOST = "http://headgate.test";
const METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND", "get", "QUERY", "X"];
const TYPES = [
  "application/json",
  "application/json; charset=utf-16",
  "application/problem+json",
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/xml",
  "",
  "application/json,application/json",
  "APPLICATION/JSON",
];
const HEADERS = [
  "idempotency-key",
  "webhook-id",
  "x-github-delivery",
  "x-github-event",
  "x-hub-signature-256",
  "webhook-signature",
  "webhook-timestamp",
  "if-match",
  "last-event-id",
  "x-request-id",
  "x-forwarded-for",
  "content-encoding",
  "content-length",
  "origin",
  "expect",
  "range",
  "accept",
  "x-http-method-override",
];

/** Makes hostile requests of the operations of an API. */
export class HostileRequests {
  readonly #generator: Generator;
  readonly #extremes: Extremes;
  /** Ids that are there. */
  readonly ids: string[] = [];

  constructor(generator: Generator, extremes: Extremes) {
    this.#generator = generator;
    this.#extremes = extremes;
  }

  /** Returns a request that no client would send, or (one of three) one that is right by the document and extreme. */
  next(authorizations: readonly string[]): Hostile {
    const generator = this.#generator;
    const operation = this.#operation();
    const isRight = generator.chance(1 / 3);
    const method = isRight || generator.chance(0.9) ? operation.method : generator.pick(METHODS);
    const path = isRight ? this.#rightPath(operation) : this.#path(operation);
    const authorization = generator.chance(0.95)
      ? generator.pick(authorizations)
      : generator.pick(["", "Bearer x", "Basic eDp4", `Bearer ${"x".repeat(600)}`]);
    const headers: Record<string, string> = authorization === "" ? {} : { authorization };
    if (!isRight || generator.chance(0.2))
      for (const name of generator.some(3, () => generator.pick(HEADERS))) headers[name] = headerSafe(this.#headerValue());
    const hasBody = !["GET", "HEAD", "get"].includes(method) && generator.chance(isRight ? 1 : 0.9);
    if (hasBody) headers["content-type"] = isRight || generator.chance(0.85) ? "application/json" : generator.pick(TYPES);
    const body = !hasBody
      ? null
      : isRight && operation.body !== null
        ? JSON.stringify(this.#extremes.value(operation.body))
        : this.#body(operation);
    return { method, path: path.slice(0, 16_000), headers, body };
  }

  /** Operations that wait or make many triggers come less often, so that the others are not starved of their share. */
  #operation(): Operation {
    const one = this.#generator.pick(this.#extremes.operations);
    const isCostly = one.path.endsWith("/backfill") || one.path.endsWith("/audit/verify");
    return isCostly && this.#generator.chance(0.95) ? this.#generator.pick(this.#extremes.operations) : one;
  }

  #id(): string {
    const generator = this.#generator;
    // letters that cannot be compressed: an index of a database may have no room for them
    if (generator.chance(0.02)) return generator.letters(generator.pick([128, 129, 2_800, 9_000]));
    const known = generator.pick(["alpha", "beta", ...(this.ids.length === 0 ? [] : [generator.pick(this.ids)])]);
    return generator.chance(0.6) ? known : generator.chance(0.5) ? generator.pick(NASTY) : generator.text();
  }

  #rightPath({ path, query }: Operation): string {
    const filled = path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(wellFormed(this.#id())));
    const given = query
      .filter(() => this.#generator.chance(0.4))
      .map(({ name, schema }) => `${name}=${encodeURIComponent(wellFormed(String(this.#extremes.value(schema))))}`);
    return given.length === 0 ? filled : `${filled}?${given.join("&")}`;
  }

  #path({ path, query }: Operation): string {
    const generator = this.#generator;
    const raw = (text: string) =>
      generator.chance(0.7) ? encodeURIComponent(wellFormed(text)) : encodeURI(wellFormed(text)).replaceAll(/[\s?#]/g, "");
    let filled = path.replaceAll(/\{\w+\}/g, () => raw(this.#id()));
    if (generator.chance(0.1)) filled = filled.replace("/", generator.pick(["//", "/./", "/../", "/%2e%2e/", "\\", "/%00", "/;a=b/"]));
    if (generator.chance(0.05)) filled += generator.pick(["/", "%", "%E0%A4%A", ".json", "/../..", "%2f", "?".repeat(5), "#x"]);
    const names = [...query.map(({ name }) => name), "pipeline", "limit", "cursor", "at", "__proto__", ""];
    const given = generator.some(
      4,
      () => `${raw(generator.pick(names))}=${raw(generator.chance(0.5) ? generator.pick(NASTY) : generator.text())}`,
    );
    return given.length === 0 ? filled : `${filled}?${given.join(generator.pick(["&", "&", "&&", ";"]))}`;
  }

  #headerValue(): string {
    const generator = this.#generator;
    return generator.pick([
      generator.pick(NASTY),
      generator.text(),
      "x".repeat(generator.pick([1, 119, 128, 129, 255, 4_000])),
      '"abc"',
      "*",
      "gzip",
      "sha256=00",
      String(generator.int(2 ** 31)),
    ]);
  }

  #body({ body }: Operation): Uint8Array | string {
    const generator = this.#generator;
    const right = () => JSON.stringify(body === null ? anyJson(generator) : this.#extremes.value(body));
    const makers: readonly (() => Uint8Array | string)[] = [
      () => JSON.stringify(anyJson(generator)),
      () => JSON.stringify(body === null ? {} : { ...Object(this.#extremes.value(body)), [generator.pick(NASTY)]: anyJson(generator) }),
      () => JSON.stringify(this.#mutated(body === null ? {} : this.#extremes.value(body))),
      () => right().slice(0, generator.int(60)),
      () => right() + generator.pick(["}", "\u0000", "//", " {}", ","]),
      () => generator.bytes(400),
      () => Buffer.concat([Buffer.from(right()), Buffer.from([0xff, 0xfe])]),
      () => Buffer.from(right(), "utf16le"),
      () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(right())]),
      () => `${'{"a":'.repeat(generator.pick([10, 60, 70, 5_000]))}1`,
      () => `${"[".repeat(generator.pick([10, 5_000]))}${"]".repeat(5_000)}`,
      () =>
        `{"reason":"a","reason":"b","parameters":{"x":1,"x":${generator.pick(["1e400", "-1e400", "1e-400", "0123", "NaN", "Infinity", "9".repeat(400)])}}}`,
      () => `{"parameters":{"${generator.pick(["__proto__", "\\u005f_proto__", "constructor", "prototype"])}":{"polluted":1}}}`,
      () => `{"reason":"${generator.pick(["\\u0000", "\\ud800", "\\udc00\\ud800", "\u0000", "\\uFFFF"])}"}`,
      () => `{"parameters":{"x":"${"x".repeat(generator.pick([1_000, 100_000]))}"}}`,
      () =>
        JSON.stringify({
          parameters: Object.fromEntries(Array.from({ length: generator.pick([10, 2_000]) }, (_, index) => [`k${index}`, index])),
        }),
      () => generator.pick(["", "null", "[]", '""', "0", "true", "{", "}", "{}{}", "\ufeff{}"]),
      ...(generator.chance(0.02) ? [() => `{"parameters":{"x":"${"x".repeat(generator.pick([1_048_000, 1_048_576, 2_000_000]))}"}}`] : []),
    ];
    return generator.pick(makers)();
  }

  /** One field replaced by something else. */
  #mutated(value: unknown): unknown {
    const generator = this.#generator;
    if (typeof value !== "object" || value === null || generator.chance(0.2)) return anyJson(generator, 2);
    const names = Object.keys(value);
    const name = names.length === 0 || generator.chance(0.2) ? generator.pick(NASTY) : generator.pick(names);
    const old = (value as Readonly<Record<string, unknown>>)[name];
    return { ...value, [name]: this.#mutated(old) };
  }

  /** Returns the bytes of a request, or of something that is none, for a socket. */
  raw(authorization: string): Buffer {
    const generator = this.#generator;
    const { method, path, headers, body } = this.next([authorization]);
    const payload = Buffer.from(body ?? "");
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const good = () =>
      Buffer.concat([
        head(`${method} ${path}`, [
          "host: x",
          "connection: close",
          ...lines.filter((line) => !line.startsWith("content-length")),
          `content-length: ${payload.length}`,
        ]),
        payload,
      ]);
    const chunked = (text: string) =>
      Buffer.concat([
        head(`POST ${path}`, [
          "host: x",
          "connection: close",
          `authorization: ${authorization}`,
          "content-type: application/json",
          "transfer-encoding: chunked",
        ]),
        Buffer.from(text),
      ]);
    const kinds: readonly (() => Buffer)[] = [
      good,
      good,
      good,
      good,
      () => Buffer.concat([good(), good(), good()]),
      () => good().subarray(0, generator.int(200)),
      () =>
        chunked(
          generator.pick([
            "0\r\n\r\n",
            "5\r\n{}\r\n",
            "ffffffffff\r\n",
            "-1\r\n{}\r\n0\r\n\r\n",
            "2;x=y\r\n{}\r\n0\r\n\r\n",
            "2\n{}\n0\n\n",
            `2\r\n{}\r\n0\r\nX: ${"y".repeat(20_000)}\r\n\r\n`,
          ]),
        ),
      () =>
        Buffer.concat([
          head(`POST ${path}`, ["host: x", "content-length: 2", "content-length: 3", `authorization: ${authorization}`]),
          payload,
        ]),
      () =>
        Buffer.concat([
          head(`POST ${path}`, ["host: x", "content-length: 2", "transfer-encoding: chunked", `authorization: ${authorization}`]),
          payload,
        ]),
      () => head(`GET ${path}`, ["host: x", `x-large: ${"y".repeat(generator.pick([100, 20_000]))}`]),
      () => head(`GET ${path}`, ["host: x", ...Array.from({ length: 3_000 }, (_, index) => `x-${index}: y`)]),
      () => head(`GET ${path}`, ["host: x", " folded: y", "no-colon", "bad\u0000name: y", "x: a\rb"]),
      () =>
        Buffer.from(
          `${generator.pick(["GET", "GETT", "PRI", "\u0000", "CONNECT"])} ${generator.pick([path, "*", `${HOST}${path}`, "//", "", path.repeat(10)])} ${generator.pick(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "", "ICY"])}\r\nhost: x\r\nconnection: close\r\n\r\n`,
        ),
      () =>
        head(`${method} ${path}`, [
          "connection: upgrade",
          "upgrade: websocket",
          "host: x",
          `authorization: ${authorization}`,
          "expect: 100-continue",
        ]),
      () => Buffer.from(generator.bytes(600)),
    ];
    return generator.pick(kinds)();
  }
}

function head(line: string, headers: readonly string[]): Buffer {
  return Buffer.from(`${line} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
}

function wellFormed(text: string): string {
  return text.replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

/** Headers of standard requests are bytes without line ends and NUL; sockets get the others. */
function headerSafe(value: string): string {
  return value.replaceAll(/[\0\r\n]|[^\0-\xff]/g, "").trim();
}
