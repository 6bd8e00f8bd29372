import type { ServerResponse } from "node:http";
import type { Clock } from "../../ports/clock.js";

/** Bytes of answers that clients have not read yet; beyond it, the connection that has waited longest is closed. */
const UNREAD_BYTES = 67_108_864;
/** Time a client may take to read a response. */
const READ_TIMEOUT_MS = 60_000;

/** Answers that were sent and not read: bounded in bytes and in time. */
export class SlowReaders {
  /** Bytes by answer, the oldest first. */
  readonly #unread = new Map<ServerResponse, number>();
  #bytes = 0;

  /** Watches an answer that has ended, until all of it has gone into the network. */
  watch(response: ServerResponse, clock: Clock): void {
    const bytes = response.writableLength;
    if (bytes === 0 || response.destroyed) return;
    this.#unread.set(response, bytes);
    this.#bytes += bytes;
    const stopTimer = clock.setTimer(READ_TIMEOUT_MS, () => response.destroy());
    const leave = () => {
      if (!this.#unread.delete(response)) return;
      this.#bytes -= bytes;
      stopTimer();
    };
    response.once("finish", leave).once("close", leave);
    for (const [oldest] of this.#unread) {
      if (this.#bytes <= UNREAD_BYTES) break;
      oldest.destroy();
    }
  }
}
