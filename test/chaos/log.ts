import { closeSync, openSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Time by the machine's clock, epoch ms, and the node that wrote the line. */
interface Stamped {
  readonly at: number;
  readonly node: string;
}

/** A function began, or ended. */
export type BeginLine = Stamped & {
  readonly line: "begin";
  readonly run: string;
  readonly pipeline: string;
  readonly trigger: string;
  readonly attempt: number;
  readonly scheduledFor: number | null;
};
export type EndLine = Stamped & {
  readonly line: "end";
  readonly run: string;
  readonly pipeline: string;
  readonly attempt: number;
  readonly outcome: "ok" | "error" | "aborted";
};
/** A lease that the store has confirmed: until when, by the machine's clock. */
export type LeaseLine = Stamped & { readonly line: "lease"; readonly run: string; readonly token: number; readonly until: number };
/** The store's answer to the end of an attempt; `isLoss`: another node closes the attempt of one that was silent. */
export type FinishLine = Stamped & {
  readonly line: "finish";
  readonly run: string;
  readonly token: number;
  readonly outcome: string;
  readonly isLoss: boolean;
  readonly isAccepted: boolean;
  /** It was sent before, and may have been recorded then: the store recognises it. */
  readonly isRepeated: boolean;
};
/** Fire times that the store has made triggers of, or dropped. */
type FiredLine = Stamped & { readonly line: "fired"; readonly pipeline: string; readonly fires: readonly number[] };
/** An event of the scheduler. */
type EventLine = Stamped & {
  readonly line: "event";
  readonly name: string;
  readonly run: string | null;
  readonly attempt: number | null;
  readonly text: string | null;
};
/** A process has started, or what kills it came up: an exception that nobody caught. */
type ProcessLine = Stamped & { readonly line: "up" | "down" | "uncaught"; readonly text: string | null };

/** One line of the append-only log of what really happened. */
export type Line = BeginLine | EndLine | LeaseLine | FinishLine | FiredLine | EventLine | ProcessLine;

type Unstamped<T> = T extends Line ? Omit<T, "at" | "node"> & { readonly at?: number } : never;

/** Appends lines; each is one write, so that lines of several processes do not mix. */
export class LogWriter {
  readonly #file: number;
  readonly #node: string;

  constructor(path: string, node: string) {
    this.#file = openSync(path, "a");
    this.#node = node;
  }

  write(line: Unstamped<Line>): void {
    writeSync(this.#file, `${JSON.stringify({ at: Date.now(), node: this.#node, ...line })}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Reads what has been appended since the last look. */
export class LogReader {
  readonly lines: Line[] = [];
  readonly #path: string;
  #file: FileHandle | null = null;
  #position = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  async look(): Promise<void> {
    this.#file ??= await open(this.#path, "a+");
    const buffer = Buffer.alloc(262_144);
    for (;;) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const parts = (this.#rest + buffer.toString("latin1", 0, bytesRead)).split("\n");
      this.#rest = parts.pop() ?? "";
      for (const part of parts) this.lines.push(JSON.parse(Buffer.from(part, "latin1").toString()) as Line);
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }
}
