import type { EventName, Scheduler, SchedulerEvents } from "../../index.js";
import { decisionOut, runOut } from "./out.js";
import { isVisible } from "./pipeline-of.js";
import { Problem } from "./problem.js";
import type { Call, Route } from "./route.js";
import { route } from "./route.js";

const RUN_EVENTS = [
  "run.started",
  "run.attempt",
  "run.retrying",
  "run.succeeded",
  "run.failed",
  "run.timed_out",
  "run.cancelled",
  "run.lost",
] as const;
const KEPT = 1_000;
const MOST_READERS = 100;
const BEAT_MS = 15_000;
/** A reader that is this many events behind is let go; it can come back and go on where it was. */
const MOST_BEHIND = 1_000;

interface Told {
  readonly seq: number;
  readonly pipelineId: string;
  readonly text: string;
}

interface Reader {
  readonly sees: (pipelineId: string) => boolean;
  send(text: string): void;
  end(): void;
}

/**
 * Decisions and runs of this node as they happen, as server-sent events. The newest are kept, so that who comes back with `Last-Event-ID` misses none; who was away for
 * longer, or across a restart, is told `reset`.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStream {
  readonly #scheduler: Scheduler;
  readonly #readers = new Set<Reader>();
  readonly #kept: Told[] = [];
  /** Tells this life of the service from the ones before. */
  readonly #life: string;
  #seq = 0;
  #stops: (() => void)[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.#life = scheduler.host.clock.now().toString(36);
  }

  readonly route: Route = route({
    id: "events",
    method: "GET",
    path: "/api/v1/events",
    summary: "Decisions and runs as they happen, as server-sent events; Last-Event-ID goes on where one was",
    tag: "system",
    role: "viewer",
    answers: {
      200: { description: "A stream of events: `decision`, `run.*`, and `reset` when some were missed.", type: "text/event-stream" },
    },
    handle: (call) => ({
      status: 200,
      headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
      stream: this.#open(call),
    }),
  });

  /** Ends all streams. */
  close(): void {
    for (const reader of [...this.#readers]) reader.end();
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }

  #open(call: Pick<Call, "header" | "caller">): ReadableStream<Uint8Array> {
    if (this.#readers.size >= MOST_READERS)
      throw new Problem(503, "QUEUE_FULL", "too many read the events; try again later", { headers: { "retry-after": "30" } });
    if (this.#stops.length === 0) this.#listen();
    const missed = this.#after(call.header("last-event-id"));
    const encoder = new TextEncoder();
    let reader: Reader | null = null;
    let stopTimer = () => {};
    const leave = () => {
      stopTimer();
      if (reader !== null) this.#readers.delete(reader);
    };
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const send = (text: string) => {
            controller.enqueue(encoder.encode(text));
            if ((controller.desiredSize ?? 0) <= 0) end();
          };
          const end = () => {
            leave();
            controller.close();
          };
          const made: Reader = { sees: (pipelineId) => isVisible(call, pipelineId), send, end };
          reader = made;
          this.#readers.add(made);
          const beat = () => {
            send(": still here\n\n");
            stopTimer = this.#scheduler.host.clock.setTimer(BEAT_MS, beat);
          };
          send("retry: 2000\n\n");
          if (missed === null) send(`event: reset\nid: ${this.#life}-${this.#seq}\ndata: {}\n\n`);
          for (const { pipelineId, text } of missed ?? []) if (made.sees(pipelineId)) send(text);
          stopTimer = this.#scheduler.host.clock.setTimer(BEAT_MS, beat);
        },
        cancel: leave,
      },
      { highWaterMark: MOST_BEHIND },
    );
  }

  /** What was told since; `null` when that is not known any more. */
  #after(lastId: string | null): readonly Told[] | null {
    if (lastId === null) return [];
    const [life, text] = lastId.split("-");
    const seq = Number(text);
    const oldest = this.#kept[0]?.seq ?? this.#seq + 1;
    if (life !== this.#life || !Number.isInteger(seq) || seq > this.#seq || seq < oldest - 1) return null;
    return this.#kept.filter((one) => one.seq > seq);
  }

  #listen(): void {
    const on = <E extends EventName>(name: E, out: (event: SchedulerEvents[E]) => [string, unknown]) =>
      this.#stops.push(this.#scheduler.on(name, (event) => this.#tell(name, ...out(event))));
    on("decision", ({ decision }) => [decision.pipelineId, decisionOut(decision)]);
    for (const name of RUN_EVENTS) on(name, ({ run }) => [run.pipelineId, runOut(run)]);
    this.#stops.push(this.#scheduler.on("stopped", () => this.close()));
  }

  #tell(name: string, pipelineId: string, data: unknown): void {
    const seq = ++this.#seq;
    const text = `id: ${this.#life}-${seq}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
    this.#kept.push({ seq, pipelineId, text });
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const reader of this.#readers) if (reader.sees(pipelineId)) reader.send(text);
  }
}
