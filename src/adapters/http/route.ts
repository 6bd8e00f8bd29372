import type { z } from "zod";
import type { Role, Scheduler } from "../../index.js";
import type { ResolvedOptions } from "./options.js";

/** Caller of the API: the holder of a token, or the signer of a webhook. */
export interface Caller {
  readonly id: string;
  readonly role: Role;
  /** The pipelines it is limited to; `null`: all. */
  readonly pipelines: readonly string[] | null;
  /** Of the signer of a webhook: the idempotency key that its signature covers. Headers cannot change it. */
  readonly deliveryKey?: string;
  /** The name that acts when a request gives none; `null`: the id. */
  readonly user: string | null;
  /** A request may give any other name. */
  readonly actsForOthers: boolean;
}

/** One request, checked and ready to be answered. */
export interface Call {
  readonly scheduler: Scheduler;
  readonly options: ResolvedOptions;
  readonly caller: Caller;
  /** A header of the request, its name in lower case. */
  readonly header: (name: string) => string | null;
  readonly params: Readonly<Record<string, string>>;
  /** As the route's schemas made them. */
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Where the API is mounted: before every `Location`. */
  readonly prefix: string;
  readonly address: string | null;
  readonly requestId: string;
}

export interface Answer {
  readonly status: number;
  /** JSON; `undefined` for none. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is in place of `body`; its type stands in the headers. */
  readonly text?: string;
  /** Sent as it is in place of `body`. */
  readonly stream?: ReadableStream<Uint8Array>;
  /** For the audit log. */
  readonly pipelineId?: string | null;
  /** For the audit log: what was made, changed or ended. */
  readonly ids?: readonly string[];
}

/** Description of a route. */
export interface RouteInfo {
  /** Its `operationId` in the OpenAPI document. */
  readonly id: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `{name}` for what varies. */
  readonly path: string;
  readonly summary: string;
  readonly tag: "triggers" | "runs" | "pipelines" | "settings" | "monitoring" | "tokens" | "system";
  /** The least role that may; `"public"` needs no token, `"signed"` a signature or the role operator. */
  readonly role: Role | "public" | "signed";
  /** By status. */
  readonly answers: Readonly<Record<number, { readonly description: string; readonly schema?: z.ZodType; readonly type?: string }>>;
}

/** One way to ask: everything that is said of it, in the OpenAPI document too, is said here. */
export interface Route extends RouteInfo {
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** A body may be left out. */
  readonly isBodyOptional?: boolean;
  /** The body comes as bytes, for its signature. */
  readonly isRaw?: boolean;
  /** Done once under the key in the first of these headers that is there; keys of different scopes are kept apart, as those of different callers are. */
  readonly once?: { readonly headers: readonly string[]; readonly scope?: (call: Call) => string };
  handle(call: Call): Promise<Answer> | Answer;
}

/** A route whose query and body have the types that its schemas make. */
export function route<Q extends z.ZodObject = z.ZodObject<Record<never, never>>, B extends z.ZodType = z.ZodType<undefined>>(
  definition: Omit<Route, "query" | "body" | "handle"> & {
    query?: Q;
    body?: B;
    handle(call: Omit<Call, "query" | "body"> & { query: z.output<Q>; body: z.output<B> }): Promise<Answer> | Answer;
  },
): Route {
  return definition as Route;
}
