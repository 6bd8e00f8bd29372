import { randomUUID } from "node:crypto";
import type { Clock } from "../../ports/clock.js";
import { Problem } from "./problem.js";

/** Limits of a request body. */
export interface BodyLimits {
  /** Bytes. */
  readonly limit: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** A request as any host can hand it over. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** By its name in lower case. */
  header(name: string): string | null;
  /** The bytes of the body: no more than the limit, and no later than the deadline. */
  bytes(limits: BodyLimits): Promise<Uint8Array>;
}

/** An answer as any host can send it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Sent in place of a body. */
  readonly stream: ReadableStream<Uint8Array> | null;
}

/** The id of a request: the caller's, if it is a plain one, else a new one. */
export function requestIdOf({ header }: Pick<HttpRequest, "header">): string {
  const given = header("x-request-id");
  return given !== null && /^[\w.-]{1,100}$/.test(given) ? given : randomUUID();
}

/** Path and query of a request target, which may be a whole URL. @see https://www.rfc-editor.org/rfc/rfc9112#name-absolute-form */
export function originForm(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, "");
  return path.startsWith("/") || path === target ? path : `/${path}`;
}

/** @throws Problem `UNSUPPORTED_MEDIA_TYPE` for a body that is compressed */
export function refuseEncoding(header: HttpRequest["header"]): void {
  const encoding = header("content-encoding");
  if (encoding === null || /^\s*(?:identity)?\s*$/i.test(encoding)) return;
  throw new Problem(415, "UNSUPPORTED_MEDIA_TYPE", "send the body without Content-Encoding", {
    headers: { "accept-encoding": "identity" },
  });
}

/** A standard request. */
export function fromFetch(request: Request): HttpRequest {
  const { pathname, search } = new URL(request.url);
  return {
    method: request.method,
    url: pathname + search,
    header: (name) => request.headers.get(name),
    bytes: async (limits) => {
      refuseEncoding((name) => request.headers.get(name));
      return inTime(request.body === null ? Promise.resolve(new Uint8Array()) : readStream(request.body, limits.limit), limits);
    },
  };
}

/** Waits for a body until the deadline. */
export function inTime(bytes: Promise<Uint8Array>, { timeoutMs, clock }: BodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(new Problem(408, "BODY_TIMED_OUT", `the request body took longer than ${timeoutMs} ms`, { headers: { connection: "close" } }));
    const stopTimer = clock.setTimer(timeoutMs, late);
    bytes
      .then(resolve, (error: unknown) =>
        reject(error instanceof Problem ? error : new Problem(400, "BAD_JSON", "the request body is incomplete")),
      )
      .finally(stopTimer);
  });
}

export function tooLarge(limit: number): Problem {
  return new Problem(413, "BODY_TOO_LARGE", `request body exceeds ${limit} bytes`, { headers: { connection: "close" } });
}

async function readStream(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    size += read.value.byteLength;
    if (size > limit) {
      void reader.cancel().catch(() => {}); // nobody waits for the rest
      throw tooLarge(limit);
    }
    chunks.push(read.value);
  }
  return Buffer.concat(chunks);
}
