import type { Scheduler } from "../../index.js";
import type { EventRecord } from "../../ports/store/events.js";
import type { Authentication, Grant } from "./auth.js";
import { EventConnection } from "./event-connection.js";
import { eventFrame } from "./event-frame.js";
import { Problem, problemOf } from "./problem.js";
import type { Call, Caller, Route } from "./route.js";
import { route } from "./route.js";

const BEAT_MS = 15_000;
/** On this node. */
const MOST_STREAMS = 100;
/** Of these, so that no token can take them all. */
const MOST_STREAMS_PER_TOKEN = 10;

/**
 * Decisions and runs of all nodes as they happen, as server-sent events. A stream ends with its token, within a beat of 15 s: when it expires, is revoked, or has other rights.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStream {
  readonly #scheduler: Scheduler;
  readonly #authentication: Authentication;
  readonly #connections = new Set<EventConnection>();
  /** Open streams, and those that are about to open, by token. */
  readonly #counts = new Map<string, number>();
  /** Bytes of events, made once for all readers. */
  readonly #frames = new WeakMap<EventRecord, Uint8Array>();
  /** Grows when all streams are ended, so that those about to open end too. */
  #closings = 0;
  #stopTimer: (() => void) | null = null;
  #stopListening: (() => void) | null = null;
  /** On the clock that never jumps. */
  #beatAt = 0;

  constructor(scheduler: Scheduler, authentication: Authentication) {
    this.#scheduler = scheduler;
    this.#authentication = authentication;
  }

  readonly route: Route = route({
    id: "events",
    method: "GET",
    path: "/api/v1/events",
    summary: "Stream decisions and runs of all nodes as server-sent events; resumes after Last-Event-ID",
    tag: "system",
    role: "viewer",
    answers: {
      200: {
        description:
          "A stream of events: `decision`, `run.*`, and `reset` when events may be missing (reload the lists then). `omitted` names the fields left out of an event. Ends when the token does.",
        type: "text/event-stream",
      },
    },
    handle: async (call) => ({
      status: 200,
      headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
      stream: await this.#open(call),
    }),
  });

  /** Ends all streams. */
  close(): void {
    this.#closings++;
    for (const connection of [...this.#connections]) connection.end();
  }

  async #open(call: Pick<Call, "header" | "caller">): Promise<ReadableStream<Uint8Array>> {
    const { caller } = call;
    const closings = this.#closings;
    this.#reserve(caller.id);
    try {
      const authorization = call.header("authorization");
      const [grant] = await this.#authentication.recheck([authorization]);
      if (!grant) throw new Problem(401, "UNAUTHENTICATED", "this token is no longer valid");
      const connection = this.#connection(caller, authorization, grant);
      const pipelines = caller.pipelines === null ? null : new Set(caller.pipelines);
      const reader = await this.#scheduler.host.feed.open({
        after: call.header("last-event-id"),
        sees: (pipelineId) => pipelines === null || pipelines.has(pipelineId),
        onChange: () => connection.changed(),
      });
      if (closings !== this.#closings) {
        reader.close();
        throw new Problem(503, "SCHEDULER_STOPPED", "event streams are being closed; try again", { headers: { "retry-after": "5" } });
      }
      connection.readFrom(reader);
      this.#add(connection);
      return connection.stream;
    } catch (error) {
      this.#release(caller.id);
      throw error;
    }
  }

  #connection(caller: Caller, authorization: string | null, grant: Grant): EventConnection {
    const connection: EventConnection = new EventConnection(authorization, grant, {
      frameOf: (event) => this.#frameOf(event),
      onError: (error) => this.#report(error, "an event stream"),
      onEnd: () => {
        if (!this.#connections.delete(connection)) return;
        this.#release(caller.id);
        if (this.#connections.size === 0) this.#rest();
      },
    });
    return connection;
  }

  #add(connection: EventConnection): void {
    const { clock } = this.#scheduler.host;
    if (this.#connections.size === 0) {
      this.#beatAt = clock.monotonic() + BEAT_MS;
      this.#stopListening = this.#scheduler.on("stopped", () => this.close());
    }
    this.#connections.add(connection);
    this.#arm();
  }

  #rest(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
    this.#stopListening?.();
    this.#stopListening = null;
  }

  /** Wakes at the next beat, or when the first token expires. */
  #arm(): void {
    const { clock } = this.#scheduler.host;
    this.#stopTimer?.();
    const now = clock.now();
    let delayMs = this.#beatAt - clock.monotonic();
    for (const { grant } of this.#connections) if (grant.validUntil !== null) delayMs = Math.min(delayMs, grant.validUntil - now);
    this.#stopTimer = clock.setTimer(Math.max(1, delayMs), () => {
      const check = this.#check().catch((error: unknown) => this.#report(error, "sending heartbeats on event streams"));
      clock.track?.(check, "work");
    });
  }

  async #check(): Promise<void> {
    try {
      await this.#endWithToken();
    } catch (error) {
      this.#report(error, "checking the tokens of event streams"); // while the store cannot be read, no event comes either
    }
    const { clock } = this.#scheduler.host;
    if (clock.monotonic() >= this.#beatAt) {
      this.#beatAt = clock.monotonic() + BEAT_MS;
      for (const connection of [...this.#connections]) connection.beat();
    }
    if (this.#connections.size > 0) this.#arm();
  }

  /** Ends the streams whose token is no longer valid or has other rights: one reading of the store for all of them. */
  async #endWithToken(): Promise<void> {
    const now = this.#scheduler.host.clock.now();
    for (const connection of [...this.#connections]) {
      const { validUntil } = connection.grant;
      if (validUntil !== null && validUntil <= now) connection.end();
    }
    const connections = [...this.#connections];
    const grants = await this.#authentication.recheck(connections.map(({ authorization }) => authorization));
    for (const [index, connection] of connections.entries()) {
      const grant = grants[index] ?? null;
      if (grant === null || !hasSameRights(grant.caller, connection.grant.caller)) connection.end();
      else connection.grant = grant; // it may expire sooner by now: it was rotated
    }
  }

  #frameOf(event: EventRecord): Uint8Array | null {
    const known = this.#frames.get(event);
    if (known !== undefined) return known;
    try {
      const made = eventFrame(event, `${this.#scheduler.host.feed.epoch}-${event.seq}`);
      this.#frames.set(event, made);
      return made;
    } catch (error) {
      this.#report(error, `event ${event.seq} of the store`);
      return null;
    }
  }

  #reserve(tokenId: string): void {
    const retry = { headers: { "retry-after": "30" } };
    const own = this.#counts.get(tokenId) ?? 0;
    if (own >= MOST_STREAMS_PER_TOKEN) {
      const detail = `this token has ${own} event streams open on this node, which is the limit; close one first`;
      throw new Problem(429, "TOO_MANY_STREAMS", detail, retry);
    }
    let all = 0;
    for (const count of this.#counts.values()) all += count;
    if (all >= MOST_STREAMS)
      throw new Problem(503, "TOO_MANY_STREAMS", `this node has ${all} event streams open, which is the limit; try again later`, retry);
    this.#counts.set(tokenId, own + 1);
  }

  #release(tokenId: string): void {
    const left = (this.#counts.get(tokenId) ?? 1) - 1;
    if (left === 0) this.#counts.delete(tokenId);
    else this.#counts.set(tokenId, left);
  }

  /** A store that cannot be reached is reported by the scheduler itself. */
  #report(error: unknown, where: string): void {
    if (problemOf(error).status !== 503) this.#scheduler.host.report(error, where);
  }
}

function hasSameRights(caller: Caller, before: Caller): boolean {
  const rights = ({ id, role, pipelines }: Caller) => JSON.stringify([id, role, pipelines]);
  return rights(caller) === rights(before);
}
