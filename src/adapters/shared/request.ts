import type { IncomingMessage } from "node:http";
import { HeadgateError, quote } from "../../base/errors.js";
import type { AddressRule } from "./address.js";

const REDIRECTS = 5;
const DEFAULT_LIMIT = 1_048_576;
/** Headers that may go to another server than the one that they were meant for: any other may hold a key. */
const COMMON_HEADERS = new Set(["accept", "accept-language", "user-agent", "if-none-match", "if-modified-since"]);

/** Request to a server. */
export interface WebRequest {
  readonly url: string;
  /** Default `"GET"`. */
  readonly method?: string;
  /** By names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The largest answer, bytes. Default 1 MiB. */
  readonly limit?: number;
  /** Only the head is wanted. Default false. */
  readonly isHeadEnough?: boolean;
}

/** Response of a server. */
export interface WebAnswer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** An address without a user, a password or a query, which may be secret. */
export function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** @throws HeadgateError `INVALID_ARGUMENT` for what is no http or https address */
export function checkUrl(url: string, where: string): string {
  const protocol = typeof url === "string" && URL.canParse(url) ? new URL(url).protocol : "";
  if (protocol === "http:" || protocol === "https:") return url;
  const shown = String(url)
    .replace(/\/\/[^/]*@/, "//")
    .replace(/[?#].*$/s, "");
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: ${quote(shown)} is not an http or https address`);
}

/**
 * Sends a request over http or https, follows at most five redirects, and reads no more than the limit. To another origin (also from https to http) go only headers that hold no
 * credentials, and never a body.
 *
 * @throws HeadgateError `PROBE_FAILED` when it does not answer, `ADDRESS_REFUSED`, or the signal's reason
 */
export async function ask(request: WebRequest, rule: AddressRule, signal: AbortSignal): Promise<WebAnswer> {
  let next: WebRequest = request;
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    const answer = await once(next, rule, signal);
    const { location } = answer.headers;
    if (location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) return answer;
    next = redirected(next, location, answer.status);
  }
  throw new HeadgateError("PROBE_FAILED", `${new URL(request.url).origin}: more than ${REDIRECTS} redirects`);
}

function redirected(request: WebRequest, location: string, status: number): WebRequest {
  const from = new URL(request.url).origin; // a path may be a secret, such as that of a hook
  if (!URL.canParse(location, request.url)) throw new HeadgateError("PROBE_FAILED", `${from}: redirects to ${quote(location)}`);
  const url = checkUrl(new URL(location, request.url).href, `${from}: redirects`);
  const isSame = new URL(url).origin === new URL(request.url).origin;
  const headers = Object.fromEntries(Object.entries(request.headers ?? {}).filter(([name]) => isSame || COMMON_HEADERS.has(name)));
  const { body, ...rest } = request;
  const keepsBody = (status === 307 || status === 308) && body !== undefined;
  if (body !== undefined && !(isSame && keepsBody)) {
    const problem = `redirects to ${new URL(url).origin} (${status}), and the body is not sent there; configure that address instead`;
    throw new HeadgateError("PROBE_FAILED", `${from}: ${problem}`);
  }
  const method = keepsBody ? request.method : request.method === "HEAD" ? "HEAD" : "GET";
  return { ...rest, url, headers, ...(method === undefined ? {} : { method }), ...(keepsBody ? { body } : {}) };
}

/** Node's HTTP is loaded when it is first needed: it takes a tenth of the core's import. */
async function once(request: WebRequest, rule: AddressRule, signal: AbortSignal): Promise<WebAnswer> {
  const { url, method = "GET", headers = {}, body, limit = DEFAULT_LIMIT, isHeadEnough = false } = request;
  const target = new URL(url);
  rule.check(target.hostname);
  const { request: send } = await (target.protocol === "https:" ? import("node:https") : import("node:http"));
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason);
      else if (error instanceof HeadgateError) reject(error);
      else reject(new HeadgateError("PROBE_FAILED", `is not responding (${error.code ?? error.message})`, { cause: error }));
    };
    const options = { method, headers: { "accept-encoding": "identity", ...headers }, lookup: rule.lookup, signal, agent: false } as const;
    const sent = send(target, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const done = () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString("utf8") });
      response.on("error", failed);
      if (isHeadEnough) {
        done();
        response.destroy();
        return;
      }
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size <= limit) chunks.push(chunk);
        else response.destroy(new HeadgateError("PROBE_FAILED", `returned more than ${limit} bytes`));
      });
      response.once("end", done);
      response.once("close", () => failed(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
    });
    sent.on("error", failed); // as long as it lives: also when it was answered or given up
    sent.end(body);
  });
}
