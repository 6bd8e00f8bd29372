import type { NodeSnapshot } from "../monitor/alert.js";
import { changeKept } from "./change-kept.js";
import type { Core } from "./core.js";

const KEY = "nodes";
const FORGET_MS = 24 * 3_600_000;
const NODES_KEPT = 1_000;
const TOLD_AT_MOST = 20;
/** A node that is silent for so many times as long as it has between two words is lost. */
const SILENCES = 3;

type Entry = Omit<NodeSnapshot, "isLost" | "node">;
type Board = Readonly<Record<string, Entry>>;

/** What a node says of itself. */
export type NodeWord = Omit<Entry, "seenAt">;

/** Where nodes say that they are there and how they are: one setting of the store, which each of them writes its own part of. */
export class NodeBoard {
  readonly #core: Core;
  #board: Board = {};
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Says how this node is, once per lease. */
  async say(word: NodeWord, now: number): Promise<void> {
    const { node, settings, store } = this.#core;
    if (store.pollMs === null) {
      this.#board = { [node]: { ...bounded(word), seenAt: now } }; // nobody else can be there
      return;
    }
    const silentMs = now - this.#saidAt; // negative after the clock went back
    if (silentMs >= 0 && silentMs < settings.leaseMs) {
      this.#board = { ...this.#board, [node]: { ...bounded(word), seenAt: now } };
      return;
    }
    await this.#write((board) => ({ ...board, [node]: { ...bounded(word), seenAt: now } }), now);
    this.#saidAt = now;
  }

  /** Takes this node from the board: it stops, and is not lost. */
  async leave(now: number): Promise<void> {
    if (this.#core.store.pollMs === null || this.#saidAt === Number.NEGATIVE_INFINITY) return;
    await this.#write(({ [this.#core.node]: _, ...others }) => others, now);
  }

  /** All nodes, as they last said. */
  nodes(now: number): readonly NodeSnapshot[] {
    const longest = this.#core.settings.leaseMs * SILENCES;
    return Object.entries(this.#board).map(([node, entry]) => ({ node, ...entry, isLost: now - entry.seenAt > longest }));
  }

  async #write(change: (board: Board) => Board, now: number): Promise<void> {
    const written = await changeKept(this.#core, { key: KEY, what: "the board of nodes is" }, (board: Board | undefined) => {
      const kept = Object.entries(change(board ?? {}))
        .filter(([, { seenAt }]) => now - seenAt < FORGET_MS)
        .slice(-NODES_KEPT);
      return { next: Object.fromEntries(kept), user: this.#core.node };
    });
    if (written !== null) this.#board = written.next;
  }
}

function bounded(word: NodeWord): NodeWord {
  return {
    ...word,
    failingSensors: word.failingSensors.slice(0, TOLD_AT_MOST),
    failingProbes: word.failingProbes.slice(0, TOLD_AT_MOST),
  };
}
