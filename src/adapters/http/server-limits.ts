import type { Server } from "node:http";
import type { Socket } from "node:net";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import { addressKey } from "./client-address.js";

/** Limits of an HTTP server's connections. */
export interface ServerLimits {
  /** Open connections; more are closed at once. Default 2,000. */
  maxConnections?: number;
  /** Open connections of one address (of a /64 in IPv6), so that none can take them all. Default 500; `null`: no limit, for a server behind a proxy. */
  maxConnectionsPerAddress?: number | null;
  /** Time for the head of a request, ms. Default 10,000. */
  headersTimeoutMs?: number;
  /** Time for a whole request, ms; longer than the API's `bodyTimeout`. Default 30,000. */
  requestTimeoutMs?: number;
  /** Time that a connection without a request stays open, ms. Default 10,000; behind a proxy longer than the proxy's own. */
  keepAliveTimeoutMs?: number;
  /** Requests of one connection, after which it is closed. Default 1,000. */
  maxRequestsPerConnection?: number;
}

/** Interval at which Node looks for requests that take too long, ms: an option of `createServer`, `connectionsCheckingInterval`. */
export const CONNECTIONS_CHECKED_EVERY_MS = 2_000;

/**
 * Bounds the connections of a Node server in number and time; `headgate serve` does so by itself. Call it before the server listens.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 * @example
 * const server = createServer({ connectionsCheckingInterval: 2_000 }, nodeTriggerApi(api));
 * limitServer(server).listen(5000);
 */
export function limitServer<S extends Server>(server: S, limits: ServerLimits = {}): S {
  checkOptions(
    limits,
    {
      maxConnections: true,
      maxConnectionsPerAddress: true,
      headersTimeoutMs: true,
      requestTimeoutMs: true,
      keepAliveTimeoutMs: true,
      maxRequestsPerConnection: true,
    },
    "limitServer",
  );
  const refuse = invalidArgument("limitServer");
  const whole = (name: Exclude<keyof ServerLimits, "maxConnectionsPerAddress">, fallback: number) => {
    const value = limits[name] ?? fallback;
    checkInteger(value, { least: 1 }, name, refuse);
    return value;
  };
  server.maxConnections = whole("maxConnections", 2_000);
  server.headersTimeout = whole("headersTimeoutMs", 10_000);
  server.requestTimeout = whole("requestTimeoutMs", 30_000);
  server.keepAliveTimeout = whole("keepAliveTimeoutMs", 10_000);
  server.maxRequestsPerSocket = whole("maxRequestsPerConnection", 1_000);
  if (server.headersTimeout > server.requestTimeout) throw refuse("headersTimeoutMs", "must not exceed requestTimeoutMs");
  const { maxConnectionsPerAddress: most = 500 } = limits;
  if (most === null) return server;
  checkInteger(most, { least: 1 }, "maxConnectionsPerAddress", refuse);
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const key = addressKey(socket.remoteAddress ?? "unknown");
    const count = (open.get(key) ?? 0) + 1;
    if (count > most) {
      socket.destroy();
      return;
    }
    open.set(key, count);
    socket.once("close", () => {
      const left = (open.get(key) ?? 1) - 1;
      if (left > 0) open.set(key, left);
      else open.delete(key);
    });
  });
  return server;
}
