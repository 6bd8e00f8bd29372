import { HeadgateError, quote } from "../../base/errors.js";
import { toDate } from "../../base/instant.js";
import type { NodeSnapshot } from "../../monitor/alert.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { checkAct, checkedId } from "../../pipeline/requests.js";
import type { AuditedWrite } from "../../ports/audit-store.js";
import type { NodeRegistry, NodeStatus } from "../../ports/scheduler-api/node-registry.js";
import type { AuditRecorder } from "../access/audit-log.js";
import { compareAndSet } from "../context/compare-and-set.js";
import type { Core } from "../context/core.js";

const KEY = "nodes";
const FORGET_MS = 24 * 3_600_000;
const NODES_KEPT = 1_000;
const TOLD_AT_MOST = 20;
/** A node that is silent for so many times as long as it has between two words is lost. */
const SILENCES = 3;

type Entry = Omit<NodeSnapshot, "isLost" | "node">;
type Nodes = Readonly<Record<string, Entry>>;

/** Status that a node reports. */
export type NodeReport = Omit<Entry, "seenAt">;

type StoredNodeRegistryCore = Pick<Core, "clock" | "node" | "settings" | "store">;

/** Where nodes that raise alerts say that they are there and how they are: one setting of the store, which each of them writes its own part of. */
export class StoredNodeRegistry implements NodeRegistry {
  readonly #core: StoredNodeRegistryCore;
  readonly #audit: AuditRecorder;
  #nodes: Nodes = {};
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(core: StoredNodeRegistryCore, audit: AuditRecorder) {
    this.#core = core;
    this.#audit = audit;
  }

  async list(): Promise<readonly NodeStatus[]> {
    const { clock } = this.#core;
    await this.read();
    return this.nodes(clock.now()).map(({ failingSince = null, failure = null, ...node }) => ({
      ...node,
      seenAt: toDate(node.seenAt),
      failingSince: toDate(failingSince),
      failure,
    }));
  }

  async dismiss(node: string, act: ActionContext = {}): Promise<void> {
    checkAct(act, "nodes.dismiss");
    checkedId(node, "nodes.dismiss");
    let before: { node: string; seenAt: string } | null = null;
    await this.#write(
      (nodes, now) => {
        const known = Object.hasOwn(nodes, node) ? nodes[node] : undefined;
        if (known === undefined) throw new HeadgateError("NOT_FOUND", `no such node: ${quote(node)}`, { details: { node } });
        if (!this.#isLost(known, now)) {
          const problem = `node ${quote(node)} was last seen ${toDate(known.seenAt).toISOString()} and is not lost; stop it instead`;
          throw new HeadgateError("NODE_ACTIVE", problem, { details: { node } });
        }
        const { [node]: dismissed, ...others } = nodes;
        before = { node, seenAt: toDate(known.seenAt).toISOString() };
        return { next: others, noted: this.#audit.noted({ action: "node", pipelineId: null, before, after: null, ids: [node] }, act) };
      },
      this.#core.clock.now(),
      act.user,
    );
    this.#audit.logChange({ action: "node", pipelineId: null, before, after: null, ids: [node] }, act);
  }

  /**
   * Says how this node is, once per lease.
   *
   * @internal
   */
  async heartbeat(report: NodeReport, now: number): Promise<void> {
    const { node, settings, store } = this.#core;
    if (store.pollMs === null) {
      this.#nodes = { [node]: { ...bounded(report), seenAt: now } }; // nobody else can be there
      return;
    }
    const silentMs = now - this.#saidAt; // negative after the clock went back
    if (silentMs >= 0 && silentMs < settings.leaseMs) {
      this.#nodes = { ...this.#nodes, [node]: { ...bounded(report), seenAt: now } };
      return;
    }
    await this.#write((nodes) => ({ next: { ...nodes, [node]: { ...bounded(report), seenAt: now } } }), now);
    this.#saidAt = now;
  }

  /**
   * Removes this node: it stops, and is not lost.
   *
   * @internal
   */
  async leave(now: number): Promise<void> {
    if (this.#core.store.pollMs === null || this.#saidAt === Number.NEGATIVE_INFINITY) return;
    await this.#write(({ [this.#core.node]: _, ...others }) => ({ next: others }), now);
  }

  /**
   * Reads what other nodes have written.
   *
   * @internal
   */
  async read(): Promise<void> {
    const { store } = this.#core;
    if (store.pollMs === null) return; // nobody else can be there
    const own = Object.hasOwn(this.#nodes, this.#core.node) ? { [this.#core.node]: this.#nodes[this.#core.node] as Entry } : {};
    this.#nodes = { ...(((await store.config(KEY))?.value as Nodes | undefined) ?? {}), ...own };
  }

  /**
   * All nodes, as they last said.
   *
   * @internal
   */
  nodes(now: number): readonly NodeSnapshot[] {
    return Object.entries(this.#nodes).map(([node, entry]) => ({ node, ...entry, isLost: this.#isLost(entry, now) }));
  }

  #isLost({ seenAt }: Entry, now: number): boolean {
    return now - seenAt > this.#core.settings.leaseMs * SILENCES;
  }

  async #write(
    change: (nodes: Nodes, now: number) => { next: Nodes; noted?: AuditedWrite },
    now: number,
    user = this.#core.node,
  ): Promise<void> {
    const written = await compareAndSet(this.#core, { key: KEY, what: "the list of nodes" }, (nodes: Nodes | undefined) => {
      const { next, ...rest } = change(nodes ?? {}, now);
      const kept = Object.entries(next)
        .filter(([, { seenAt }]) => now - seenAt < FORGET_MS)
        .slice(-NODES_KEPT);
      return { next: Object.fromEntries(kept), user, ...rest };
    });
    if (written !== null) this.#nodes = written.next;
  }
}

function bounded(word: NodeReport): NodeReport {
  return {
    ...word,
    failingSensors: word.failingSensors.slice(0, TOLD_AT_MOST),
    failingProbes: word.failingProbes.slice(0, TOLD_AT_MOST),
  };
}
