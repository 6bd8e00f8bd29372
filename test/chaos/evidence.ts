import type { DecisionRecord, RunRecord, TriggerRecord } from "../../src/index.js";
import type { Life } from "./fleet.js";
import type { Line } from "./log.js";
import type { PipelineSpec } from "./pipelines.js";

/** When a fault held, by the machine's clock, and the nodes that it struck. */
export interface FaultWindow {
  readonly round: number;
  name: string;
  readonly family: string;
  /** Names of nodes, as they were when it began. */
  readonly nodes: readonly string[];
  /** Nobody was spared. */
  isForAll: boolean;
  readonly size: number;
  readonly from: number;
  until: number;
  /** How long after its end a node may still feel it, ms. */
  readonly aftermathMs: number;
}

/** A trigger that was asked for, and what was answered. */
export interface Request {
  readonly pipeline: string;
  /** Idempotency key; `null`: none. */
  readonly key: string | null;
  readonly sentAt: number;
  /** When the first answer came; `null`: none came yet. */
  acceptedAt: number | null;
  /** The id of every answer. */
  readonly ids: string[];
}

/** Something that was set at run time: what the last confirmation said, and what was asked for since and may have happened. */
export interface Setting {
  readonly name: "pause of halted" | "interval of retimed";
  confirmed: string | null;
  readonly possible: string[];
}

/** What the store says of it all. */
export interface StoreRecords {
  readonly triggers: readonly TriggerRecord[];
  readonly runs: readonly RunRecord[];
  readonly decisions: readonly DecisionRecord[];
  /** The next fire time of each pipeline, epoch ms. */
  readonly nextFireAt: ReadonlyMap<string, number | null>;
  readonly settings: ReadonlyMap<Setting["name"], string | null>;
  /** What is wrong with the audit log; `null`: nothing. */
  readonly auditProblem: string | null;
}

/** A moment at which the machine did not run the harness in time: it had other work, and may have kept the nodes waiting too. */
export interface Stall {
  readonly at: number;
  readonly ms: number;
}

/** Everything that is known of an epoch. All instants are of the machine's clock, epoch ms. */
export interface Evidence {
  readonly pipelines: readonly PipelineSpec[];
  readonly pools: Readonly<Record<string, number>>;
  readonly globalLimit: number;
  readonly leaseMs: number;
  /** The store has a clock that does not step with those of the nodes. */
  readonly hasServerClock: boolean;
  readonly from: number;
  /** Now, and when the fleet was asked to end. */
  readonly until: number;
  readonly workingUntil: number;
  readonly lines: readonly Line[];
  readonly faults: readonly FaultWindow[];
  readonly lives: readonly Life[];
  readonly stalls: readonly Stall[];
  readonly requests: readonly Request[];
  readonly settings: readonly Setting[];
  /** Only at the end of an epoch; `null` before. */
  readonly store: StoreRecords | null;
}

/** A promise that was broken. */
export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** Runs and triggers concerned: their records and lines are printed. */
  readonly ids: readonly string[];
  readonly at: number | null;
}

/** The longest and the sum of all stalls in a span, ms: what a bound of time is widened by. */
export function stalledMs({ stalls }: Pick<Evidence, "stalls">, from: number, until: number): number {
  return stalls.filter(({ at, ms }) => at >= from && at - ms <= until).reduce((sum, { ms }) => sum + ms, 0);
}
