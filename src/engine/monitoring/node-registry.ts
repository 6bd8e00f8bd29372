import { HeadgateError, quote } from "../../base/errors.js";
import { toDate } from "../../base/instant.js";
import type { NodeSnapshot } from "../../monitor/alert.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { checkAct, checkedId } from "../../pipeline/requests.js";
import type { NodeRegistry, NodeStatus } from "../../ports/scheduler-api/node-registry.js";
import type { DocumentRecord } from "../../ports/store.js";
import type { AuditRecorder } from "../access/audit-log.js";
import { changeDocument } from "../context/change-document.js";
import type { Core } from "../context/core.js";
import { allDocuments } from "../context/document-collection.js";
import { NODE } from "../context/node-documents.js";

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

/** Presence of the nodes that raise alerts: each writes a document of its own, once per lease. */
export class StoredNodeRegistry implements NodeRegistry {
  readonly #core: StoredNodeRegistryCore;
  readonly #audit: AuditRecorder;
  #nodes: Nodes = {};
  /** Documents of nodes that nobody has seen for long, as they were read last. */
  #forgotten: DocumentRecord[] = [];
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
    await changeDocument(this.#core, { kind: NODE, id: node, what: "the list of nodes" }, (known, now) => {
      if (known === null) throw new HeadgateError("NOT_FOUND", `no such node: ${quote(node)}`, { details: { node } });
      const { seenAt } = known as Entry;
      if (!this.#isLost(known as Entry, now)) {
        const problem = `node ${quote(node)} was last seen ${toDate(seenAt).toISOString()} and is not lost; stop it instead`;
        throw new HeadgateError("NODE_ACTIVE", problem, { details: { node } });
      }
      before = { node, seenAt: toDate(seenAt).toISOString() };
      const change = { action: "node", pipelineId: null, before, after: null, ids: [node] };
      return { next: null, user: act.user ?? this.#core.node, noted: this.#audit.noted(change, act) };
    });
    this.#nodes = withoutNode(this.#nodes, node);
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
    const entry = { ...bounded(report), seenAt: now };
    await store.putDocuments([{ kind: NODE, id: node, value: entry, expected: null }], node, now);
    this.#nodes = { ...this.#nodes, [node]: entry };
    this.#saidAt = now;
    await this.#forget(now);
  }

  /**
   * Removes this node: it stops, and is not lost.
   *
   * @internal
   */
  async leave(now: number): Promise<void> {
    const { store, node } = this.#core;
    if (store.pollMs === null || this.#saidAt === Number.NEGATIVE_INFINITY) return;
    await store.putDocuments([{ kind: NODE, id: node, value: null, expected: null }], node, now);
    this.#nodes = withoutNode(this.#nodes, node);
  }

  /**
   * Reads what other nodes have written.
   *
   * @internal
   */
  async read(): Promise<void> {
    const { store, clock, node } = this.#core;
    if (store.pollMs === null) return; // nobody else can be there
    const now = clock.now();
    const all = await allDocuments(store, NODE);
    const known = all
      .filter(({ value }) => now - (value as Entry).seenAt < FORGET_MS)
      .toSorted((one, other) => (other.value as Entry).seenAt - (one.value as Entry).seenAt)
      .slice(0, NODES_KEPT);
    const ids = new Set(known.map(({ id }) => id));
    this.#forgotten = all.filter(({ id }) => !ids.has(id));
    const own = Object.hasOwn(this.#nodes, node) ? { [node]: this.#nodes[node] as Entry } : {};
    const read = all.flatMap(({ id, value }) => (ids.has(id) ? [[id, value as Entry] as const] : []));
    this.#nodes = { ...Object.fromEntries(read), ...own };
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

  /** Removes nodes that nobody has seen for long, unless they have come back since they were read. */
  async #forget(now: number): Promise<void> {
    const { store, node } = this.#core;
    for (const { id, version } of this.#forgotten.splice(0))
      await store.putDocuments([{ kind: NODE, id, value: null, expected: version }], node, now);
  }
}

function withoutNode(nodes: Nodes, id: string): Nodes {
  const { [id]: _, ...others } = nodes;
  return others;
}

function bounded(word: NodeReport): NodeReport {
  return {
    ...word,
    failingSensors: word.failingSensors.slice(0, TOLD_AT_MOST),
    failingProbes: word.failingProbes.slice(0, TOLD_AT_MOST),
  };
}
