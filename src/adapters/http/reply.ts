import type { Scheduler } from "../../index.js";
import type { HttpRequest, Reply } from "./http-request.js";
import type { Answer } from "./route.js";

const SECURE: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
const EXPOSED = "Location, ETag, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";

/** Makes replies of answers, with the headers that browsers need. */
export class Replies {
  readonly #secure: Readonly<Record<string, string>>;
  readonly #origins: readonly string[];

  constructor({ hsts, cors }: { readonly hsts: boolean; readonly cors: readonly string[] }) {
    this.#secure = hsts ? { ...SECURE, "strict-transport-security": "max-age=31536000" } : SECURE;
    this.#origins = cors;
  }

  reply(request: HttpRequest, { status, body, headers = {}, stream, text: given }: Answer, own: Readonly<Record<string, string>>): Reply {
    const text = given ?? (body === undefined ? null : JSON.stringify(body));
    const all: Record<string, string> = Object.assign({ "content-type": "application/json" }, this.#secure, own, headers);
    if (text !== null) all["content-length"] = String(Buffer.byteLength(text));
    if (this.#origins.length > 0) Object.assign(all, this.#allowed(request));
    return { status, headers: all, body: text, stream: stream ?? null };
  }

  /** The answer to a browser that asks whether it may ask; `null` for other requests, and for origins that may not. */
  preflight(request: HttpRequest, methods: readonly string[]): Reply | null {
    const allowed = this.#allowed(request);
    if (request.method !== "OPTIONS" || methods.length === 0 || !("access-control-allow-origin" in allowed)) return null;
    const headers = {
      ...this.#secure,
      ...allowed,
      "access-control-allow-methods": methods.filter((method) => method !== "HEAD").join(", "),
      "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, If-Match",
      "access-control-max-age": "600",
    };
    return { status: 204, headers, body: null, stream: null };
  }

  #allowed(request: HttpRequest): Record<string, string> {
    const origin = request.header("origin");
    if (origin === null || !this.#origins.includes(origin)) return {};
    return { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED, vary: "Origin" };
  }
}

/** An answer whose body is written as JSON. @throws what JSON cannot have, or what is too long for a text */
export function withText(answer: Answer): Answer {
  const { body, text, stream } = answer;
  return text !== undefined || stream !== undefined || body === undefined ? answer : { ...answer, text: JSON.stringify(body) };
}

/** The head of a reply, as HEAD has it. */
export function headOf(reply: Reply, host: Pick<Scheduler["host"], "report">): Reply {
  reply.stream?.cancel().catch((error: unknown) => host.report(error, "answering HEAD"));
  return { ...reply, body: null, stream: null };
}
