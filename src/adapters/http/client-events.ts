/** An event of the stream of all nodes: `decision`, `run.*`, or `reset` when some may be missing (read the lists again then). */
export interface ClientEvent {
  /** Hand it in as `after` to go on behind this event. */
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Options of `client.events`. */
export interface ClientEventsOptions {
  /** Ends the stream. Default: it goes on until the loop over it is left. */
  signal?: AbortSignal;
  /** The id of the last event that was seen. Default: from now on. */
  after?: string;
  /** Waits before it connects again, ms; rejects when the signal aborts. Default: by `setTimeout`. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Reads a stream of events, and goes on behind the last one whenever the connection ends.
 *
 * @param open - opens the stream behind an event; what it throws when the service refuses ends the stream, unless `isPassing`
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export async function* readEvents(
  open: (after: string | undefined, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>,
  isPassing: (error: unknown) => boolean,
  { signal, after, wait = sleep }: ClientEventsOptions,
): AsyncGenerator<ClientEvent, void, undefined> {
  const leaving = new AbortController();
  const ends = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]);
  let last = after;
  let waitMs = FIRST_WAIT_MS;
  try {
    while (!ends.aborted) {
      try {
        for await (const event of blocksOf(await open(last, ends))) {
          waitMs = FIRST_WAIT_MS;
          last = event.id === "" ? last : event.id;
          if (event.event !== "") yield event;
        }
      } catch (error) {
        if (ends.aborted) return;
        if (!isPassing(error)) throw error;
      }
      await wait(waitMs, ends).catch(() => {}); // aborted: the loop ends
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    }
  } finally {
    leaving.abort();
  }
}

/** Blocks of a stream: events, and those that only move the id on (`event` is empty then). */
async function* blocksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<ClientEvent> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const fields = new Map(text.slice(0, end).split("\n").map(fieldOf));
        text = text.slice(end + 2);
        const data = fields.get("data");
        yield {
          id: fields.get("id") ?? "",
          event: data === undefined ? "" : (fields.get("event") ?? "message"),
          data: data === undefined ? null : JSON.parse(data),
        };
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // it has ended
  }
}

function fieldOf(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(":");
  return colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
