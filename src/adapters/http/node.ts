import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connection, TriggerApi } from "./api.js";
import { type Asked, inTime, type Reply, tooLarge } from "./asked.js";

/** A request that a host may have had its hands on. */
export interface HostRequest extends IncomingMessage {
  /** The bytes of the body, if the host keeps them. */
  rawBody?: unknown;
  /** The body as the host's own parser made it. */
  body?: unknown;
  /** Where the host has mounted what answers now. */
  baseUrl?: string;
}

/**
 * The API as a listener of `node:http` and `node:https` servers.
 *
 * @example
 * createServer(nodeTriggerApi(api)).listen(5000);
 */
export function nodeTriggerApi(api: TriggerApi): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const host: HostRequest = request;
    const isParsed = !Buffer.isBuffer(host.rawBody) && host.readableDidRead && host.body !== undefined;
    const connection: Connection = { address: host.socket.remoteAddress, prefix: host.baseUrl ?? "", isParsed };
    send(await api.answer(askedOf(host, isParsed), connection), response);
  };
}

function askedOf(request: HostRequest, isParsed: boolean): Asked {
  return {
    method: request.method ?? "GET",
    url: request.url ?? "/",
    header: (name) => {
      const value = request.headers[name];
      return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value;
    },
    bytes: (limits) => {
      if (Buffer.isBuffer(request.rawBody)) return Promise.resolve(request.rawBody);
      if (isParsed) return Promise.resolve(written(request.body));
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

function send({ status, headers, body, stream }: Reply, response: ServerResponse): void {
  if (stream === null) {
    response.writeHead(status, headers);
    response.end(body ?? undefined);
    return;
  }
  response.writeHead(status, headers);
  response.flushHeaders();
  void pump(stream, response);
}

/** Hands a stream on as fast as it is read; never rejects. A stream that ends while its reader does not read breaks the connection off. */
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
  } catch {
    response.destroy(); // the stream was broken off, and has said why where that is reported
  }
}
