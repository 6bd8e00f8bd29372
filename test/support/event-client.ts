import { ADMIN } from "./service.js";

export interface Heard {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a server sends is looked at field by field
  readonly data: any;
}

export interface EventClient {
  readonly response: Response;
  /** The newest id, of whatever block it came with. */
  readonly lastId: string;
  close(): void;
  /** Resolves with the next event; blocks without one are passed over. `null` at the end, however it came. */
  next(): Promise<Heard | null>;
  /** Resolves with so many events. */
  take(count: number): Promise<Heard[]>;
}

/** Reads a stream of server-sent events as a browser does. */
export async function openEvents(url: string, headers: Record<string, string> = {}): Promise<EventClient> {
  const control = new AbortController();
  const response = await fetch(`${url}/api/v1/events`, {
    headers: { authorization: `Bearer ${ADMIN}`, ...headers },
    signal: control.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let lastId = "";
  const block = async (): Promise<string | null> => {
    for (;;) {
      const end = rest.indexOf("\n\n");
      if (end !== -1) {
        const text = rest.slice(0, end);
        rest = rest.slice(end + 2);
        return text;
      }
      const read = await reader?.read().catch(() => undefined);
      if (read === undefined || read.done) return null;
      rest += read.value;
    }
  };
  const next = async (): Promise<Heard | null> => {
    for (let text = await block(); text !== null; text = await block()) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
      lastId = field("id") ?? lastId;
      const event = field("event");
      if (event !== undefined) return { id: lastId, event, data: JSON.parse(field("data") ?? "null") };
    }
    return null;
  };
  return {
    response,
    get lastId() {
      return lastId;
    },
    close: () => control.abort(),
    next,
    take: async (count) => {
      const heard: Heard[] = [];
      while (heard.length < count) {
        const one = await next();
        if (one === null) throw new Error(`the stream ended after ${heard.length} of ${count} events`);
        heard.push(one);
      }
      return heard;
    },
  };
}
