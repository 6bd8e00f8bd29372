import type { IncomingMessage, ServerResponse } from "node:http";
import { HeadgateError } from "../../base/errors.js";
import { shown } from "../../base/shown.js";
import type { Connection, TriggerApi } from "./api.js";
import { StreamBroken } from "./event-connection.js";
import { type HttpRequest, inTime, originForm, type Reply, refuseEncoding, tooLarge } from "./http-request.js";
import { guarded } from "./net.js";
import { SlowReaders } from "./slow-readers.js";

/** A request that a host may have had its hands on. */
export interface HostRequest extends IncomingMessage {
  /** The bytes of the body, if the host keeps them. */
  rawBody?: unknown;
  /** The body as the host's own parser made it. */
  body?: unknown;
  /** Where the host has mounted what answers now. */
  baseUrl?: string;
}

/** Time for which the rest of an unwanted body is read and dropped, so that its sender gets the response before the connection is closed. */
const LINGER_MS = 1_000;

/**
 * The API as a listener of `node:http` and `node:https` servers. The promise never rejects: whatever goes wrong is reported by the scheduler's event `error`, and
 * answered with 500 or, when an answer has begun, by closing the connection.
 *
 * @example
 * createServer(nodeTriggerApi(api)).listen(5000);
 */
export function nodeTriggerApi(api: TriggerApi): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  if (typeof api?.answer !== "function")
    throw new HeadgateError("INVALID_ARGUMENT", `must be what createTriggerApi(…) returns (got ${shown(api)})`);
  const slowReaders = new SlowReaders();
  return (request, response) =>
    guarded(api.host, response, "handling a request", async () => {
      response.on("error", (error) => api.host.report(error, "sending a response"));
      const host: HostRequest = request;
      const isParsed = !Buffer.isBuffer(host.rawBody) && host.readableDidRead && host.body !== undefined;
      const connection: Connection = { address: host.socket.remoteAddress, prefix: host.baseUrl ?? "", isParsed };
      const reply = await api.answer(askedOf(host, isParsed), connection);
      if (response.destroyed) return;
      if (reply.stream === null && reply.status >= 400 && isUnread(host)) return linger(reply, host, response, api);
      await send(reply, response);
      if (reply.stream === null) slowReaders.watch(response, api.host.clock);
    });
}

/** True while a body has not arrived as a whole. */
function isUnread({ complete, destroyed, headers }: HostRequest): boolean {
  return !complete && !destroyed && (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0);
}

/** Sends an answer to a request whose body is not wanted, and closes the connection when the body has ended or {@link LINGER_MS} have passed. */
function linger({ status, headers, body }: Reply, request: HostRequest, response: ServerResponse, { host }: TriggerApi): void {
  response.writeHead(status, { ...headers, connection: "close" });
  if (body !== null && request.method !== "HEAD") response.write(body);
  else response.flushHeaders();
  const end = () => {
    stopTimer();
    response.end();
  };
  const stopTimer = host.clock.setTimer(LINGER_MS, end);
  request.once("end", end).once("close", end).resume();
}

function askedOf(request: HostRequest, isParsed: boolean): HttpRequest {
  return {
    method: request.method ?? "GET",
    url: originForm(request.url ?? "/"),
    header: (name) => {
      const value = request.headers[name];
      return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value;
    },
    bytes: (limits) => {
      if (Buffer.isBuffer(request.rawBody)) return Promise.resolve(request.rawBody);
      if (isParsed) return Promise.resolve(written(request.body));
      refuseEncoding((name) => request.headers[name]?.toString() ?? null);
      return arrived(request, limits.limit) ?? inTime(readAll(request, limits.limit), limits);
    },
  };
}

/** A body that was read and parsed before: as good as the original for everything but a signature. */
function written(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

/** A body that has come with its head, as small ones do, needs neither a timer nor anybody who listens; `null` for others. */
function arrived(request: HostRequest, limit: number): Promise<Uint8Array> | null {
  const length = request.readableLength;
  if (request.readableDidRead || length === 0 || length > limit || String(length) !== request.headers["content-length"]) return null;
  const bytes = request.read() as Buffer | null;
  return bytes === null ? null : Promise.resolve(bytes);
}

function readAll(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers["content-length"] ?? 0) > limit) return reject(tooLarge(limit));
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else reject(tooLarge(limit));
    });
    request.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.once("error", reject).once("close", () => {
      if (!request.complete) reject(new Error("the connection was closed"));
    });
  });
}

async function send({ status, headers, body, stream }: Reply, response: ServerResponse): Promise<void> {
  if (stream === null) {
    response.writeHead(status, headers);
    response.end(body ?? undefined);
    return;
  }
  response.writeHead(status, headers);
  response.flushHeaders();
  await pump(stream, response);
}

/** Hands a stream on as fast as it is read; rejects with an error that nobody foresaw. A stream that ends while its reader does not read breaks the connection off. */
async function pump(stream: ReadableStream<Uint8Array>, response: ServerResponse): Promise<void> {
  const reader = stream.getReader();
  let hasEnded = false;
  let isGone = false;
  let goOn = () => {};
  const end = () => {
    hasEnded = true;
    goOn();
  };
  const leave = () => {
    isGone = true;
    goOn();
    reader.cancel().catch(() => {}); // the client has gone
  };
  reader.closed.then(end, end);
  response
    .on("drain", () => goOn())
    .once("close", leave)
    .on("error", leave);
  try {
    for (let read = await reader.read(); !read.done && !isGone; read = await reader.read()) {
      if (!response.write(read.value) && !isGone && !hasEnded)
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      if (hasEnded && response.writableNeedDrain) response.destroy();
    }
    response.end();
  } catch (error) {
    response.destroy();
    if (!(error instanceof StreamBroken)) throw error;
  }
}
