import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import type {
  AuditMark,
  AuditRecord,
  CursorRecord,
  DecisionRecord,
  DocumentRecord,
  EventRecord,
  GlobalPause,
  IdempotencyRecord,
  LeaseRecord,
  PipelineRegistration,
  PipelineState,
  RunRecord,
  StatisticsRollUp,
  TriggerRecord,
} from "headgate";

/** A pipeline as it is stored: its registration, and what changes. */
export type PipelineRow = PipelineRegistration & Omit<PipelineState, "activeRuns" | "waitingTriggers">;

/** Everything that the store keeps. Records are never changed in place, so that a copy of the maps is a copy of all. */
export interface State {
  readonly pipelines: Map<string, PipelineRow>;
  readonly triggers: Map<string, TriggerRecord>;
  readonly runs: Map<string, RunRecord>;
  readonly decisions: Map<string, DecisionRecord>;
  readonly documents: Map<string, DocumentRecord>;
  readonly leases: Map<string, LeaseRecord>;
  readonly cursors: Map<string, CursorRecord>;
  readonly responses: Map<string, IdempotencyRecord>;
  readonly statistics: Map<string, StatisticsRollUp>;
  readonly audit: Map<number, AuditRecord>;
  readonly events: Map<number, EventRecord>;
  global: GlobalPause;
  auditHead: AuditMark;
  auditTail: AuditMark;
  lastEventSeq: number;
}

function empty(): State {
  return {
    pipelines: new Map(),
    triggers: new Map(),
    runs: new Map(),
    decisions: new Map(),
    documents: new Map(),
    leases: new Map(),
    cursors: new Map(),
    responses: new Map(),
    statistics: new Map(),
    audit: new Map(),
    events: new Map(),
    global: { pause: null, endedPauses: [] },
    auditHead: { seq: 0, hash: "" },
    auditTail: { seq: 0, hash: "" },
    lastEventSeq: 0,
  };
}

/** The state in a file, and the transactions on it. */
export class StateFile {
  readonly #file: string;
  #state = empty();

  constructor(file: string) {
    this.#file = file;
  }

  load(): void {
    if (!existsSync(this.#file)) return;
    const stored = JSON.parse(readFileSync(this.#file, "utf8")) as Record<string, unknown>;
    const isMap = (name: string) => (empty() as unknown as Record<string, unknown>)[name] instanceof Map;
    const fields = Object.entries(stored).map(([name, value]) => [name, isMap(name) ? new Map(value as [string, unknown][]) : value]);
    this.#state = { ...empty(), ...Object.fromEntries(fields) };
  }

  /** Reads; what is returned is a record that never changes. */
  get current(): State {
    return this.#state;
  }

  /**
   * One transaction: work on a copy, which becomes the state when it is in the file. Synchronous, so that nothing comes between reading and writing; when the work throws, nothing has happened.
   */
  change<T>(work: (draft: State) => T): T {
    const draft = { ...this.#state };
    for (const [name, value] of Object.entries(draft))
      if (value instanceof Map) Object.assign(draft, { [name]: new Map<unknown, unknown>(value) });
    const answer = work(draft);
    this.#write(draft);
    this.#state = draft;
    return answer;
  }

  /** A reader of the file sees the old state or the new one: the new one is complete, and on the disk, before it takes the old one's name. */
  #write(state: State): void {
    const text = JSON.stringify(state, (_, value) => (value instanceof Map ? [...value] : value));
    const next = `${this.#file}.next`;
    const handle = openSync(next, "w");
    try {
      writeSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(next, this.#file);
  }
}
