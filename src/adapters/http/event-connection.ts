import { messageOf } from "../../base/errors.js";
import type { EventReader } from "../../index.js";
import type { EventRecord } from "../../ports/store/events.js";
import type { Grant } from "./auth.js";
import { beatFrame, openingFrame, resetFrame } from "./event-frame.js";

/** Beats in a row at which a reader was not waiting for data, before it is let go. */
const MOST_STALLED = 4;

/** A stream that was broken off on purpose, or for a reason that has been reported. */
export class StreamBroken extends Error {}

/** Callbacks of a connection. */
interface ConnectionOptions {
  /** Returns the bytes of an event, the same for all readers; `null` for one that cannot be sent. */
  readonly frameOf: (event: EventRecord) => Uint8Array | null;
  readonly onError: (error: unknown) => void;
  readonly onEnd: () => void;
}

/**
 * One reader's stream. It makes a block only when the reader takes one: what it has not read costs its place in the feed. Nothing that goes wrong here is thrown anywhere
 * but into the stream.
 */
export class EventConnection {
  readonly #options: ConnectionOptions;
  /** The header by which its token is checked again. */
  readonly authorization: string | null;
  /** As of the newest check. */
  grant: Grant;
  readonly stream: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #reader: EventReader | null = null;
  #isOpening = true;
  #isBeatDue = false;
  #hasChanged = false;
  #isEnded = false;
  #isReading = false;
  #stalled = 0;
  #wake = () => {};

  constructor(authorization: string | null, grant: Grant, options: ConnectionOptions) {
    this.authorization = authorization;
    this.grant = grant;
    this.#options = options;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: (controller) => this.#pull(controller),
        cancel: () => {
          this.#finish();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Sets its place in the feed. */
  readFrom(reader: EventReader): void {
    this.#reader = reader;
    if (this.#isEnded) reader.close();
    this.#wake();
  }

  /** Sends what is new, if the reader waits for it; one that is too far behind is let go. */
  changed(): void {
    if (this.#reader?.isBehind === true)
      this.fail(new StreamBroken("the client is more than 1 MiB of events behind; reconnect with Last-Event-ID"));
    this.#hasChanged = true;
    this.#wake();
  }

  /** Sends a sign of life; a reader that has taken nothing for several beats is let go. */
  beat(): void {
    if (!this.#isReading && ++this.#stalled >= MOST_STALLED)
      this.fail(new StreamBroken(`the client read nothing for ${MOST_STALLED} heartbeats`));
    this.#isBeatDue = true;
    this.#wake();
  }

  /** Ends the stream. */
  end(): void {
    if (this.#finish()) this.#controller?.close();
  }

  /** Breaks the stream off. */
  fail(error: StreamBroken): void {
    if (this.#finish()) this.#controller?.error(error);
  }

  /** Returns false when it had ended. */
  #finish(): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    this.#reader?.close();
    this.#options.onEnd();
    this.#wake();
    return true;
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#isReading = true;
    this.#stalled = 0;
    try {
      const frame = await this.#next();
      if (frame !== null && !this.#isEnded) controller.enqueue(frame);
    } catch (error) {
      this.#options.onError(error);
      this.fail(new StreamBroken(messageOf(error), { cause: error }));
    } finally {
      this.#isReading = false;
    }
  }

  /** Waits for the next block; `null` at the end. */
  async #next(): Promise<Uint8Array | null> {
    while (!this.#isEnded) {
      const reader = this.#reader;
      this.#hasChanged = false;
      if (reader !== null) {
        const isDue = this.#isBeatDue;
        this.#isBeatDue = false;
        if (this.#isOpening) {
          this.#isOpening = false;
          return openingFrame(reader.id);
        }
        if (isDue) return beatFrame(reader.id);
        const event = await reader.next();
        if (event === "reset") return resetFrame(reader.id);
        const frame = event === null ? null : this.#options.frameOf(event);
        if (frame !== null) return frame;
        if (event !== null || this.#hasChanged || this.#isBeatDue) continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#isEnded) resolve();
      });
    }
    return null;
  }
}
