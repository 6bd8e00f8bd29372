import type { RunStatus } from "../run/run.js";
import type { TriggerKind } from "../trigger/trigger.js";
import type { Statistics } from "./statistics.js";

/** Reasons for which a pattern's or a pipeline's alerts are raised. */
export type AlertReason = "failure" | "retry" | "sla_miss";

export const SEVERITIES = ["info", "warning", "critical"] as const;

export type Severity = (typeof SEVERITIES)[number];

/** A violation that a rule found. */
export interface RuleViolation {
  /** In words, with the numbers. */
  readonly message: string;
  readonly value?: number | null;
  readonly limit?: number | null;
  /** Key that distinguishes violations of one rule by one subject, such as a sensor's name. */
  readonly key?: string;
  /** Of a rule that looks at the whole: the pipeline that it is about. The alert is then that pipeline's: its maintenance windows, and silences and routes by pipeline or tag, apply. Default none. */
  readonly pipelineId?: string;
  /** The run that it is about, which the alert then describes: the pipeline's last one that failed or timed out, or one by its id. Default none. */
  readonly concerns?: Concern;
}

/** The run that an alert is about. */
export type Concern = "last_failure" | { readonly runId: string };

/** The run that an alert is about, as it was when the alert was sent. Instants are epoch ms. */
export interface AlertRun {
  readonly id: string;
  readonly status: RunStatus;
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly error: { readonly message: string; readonly code: string | null } | null;
  /** The trigger that requested it; `null` when the store no longer has it. */
  readonly trigger: {
    readonly id: string;
    readonly kind: TriggerKind;
    readonly scheduledFor: number | null;
    readonly user: string | null;
    readonly reason: string | null;
  } | null;
}

/** Properties that every rule has. */
interface RuleBase {
  /** 1 to 100 characters; unique among the rules. */
  readonly name: string;
  readonly severity: Severity;
  /** Time it must be so before the alert fires, ms. */
  readonly forMs: number;
  /** Interval at which the notification of a persisting alert is repeated, ms; `null`: never. */
  readonly repeatMs: number | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** A rule that looks at each pipeline. */
export interface PipelineRule extends RuleBase {
  readonly scope: "pipeline";
  /** Only pipelines whose `alertOn` has this; `null`: all. */
  readonly alertOn: AlertReason | null;
  /** Only those of these. */
  readonly appliesTo: ((pipeline: PipelineSnapshot) => boolean) | null;
  check(pipeline: PipelineSnapshot, snapshot: Snapshot): RuleViolation | null;
}

/** A rule that looks at the whole. */
export interface SchedulerRule extends RuleBase {
  readonly scope: "scheduler";
  check(snapshot: Snapshot): readonly RuleViolation[];
}

export type AlertRule = PipelineRule | SchedulerRule;

/** An active run. Instants are epoch ms. */
export interface ActiveRun {
  readonly id: string;
  readonly startedAt: number;
  readonly scheduledFor: number | null;
}

/** Facts about a pipeline for rules. Instants are epoch ms, lengths ms. */
export interface PipelineSnapshot {
  readonly id: string;
  readonly tags: readonly string[];
  readonly alertOn: readonly AlertReason[];
  readonly slaMs: number | null;
  readonly isPaused: boolean;
  /** One of its maintenance windows is on: its alerts are not notified. */
  readonly isInMaintenance: boolean;
  /** The fire time that comes next, or that nobody has fired yet. */
  readonly nextFireAt: number | null;
  readonly lastSuccessAt: number | null;
  readonly activeRuns: readonly ActiveRun[];
  /** Triggers that wait, and when the oldest was made. */
  readonly waiting: number;
  readonly oldestWaitingAt: number | null;
  /** The oldest fire time that waits, held ones included; and the oldest that is not held. */
  readonly oldestFireTimeAt: number | null;
  readonly oldestPendingFireTimeAt: number | null;
  readonly statistics: Statistics;
}

/** Latest status of a node. Instants are epoch ms. */
export interface NodeSnapshot {
  readonly node: string;
  readonly seenAt: number;
  /** It is silent for longer than a node may be. */
  readonly isLost: boolean;
  readonly clockAheadMs: number | null;
  /** Since when its rounds fail, and what the last one failed of; `null` or not there when they succeed. */
  readonly failingSince?: number | null;
  readonly failure?: string | null;
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly activeRuns: number;
  readonly failingSensors: readonly {
    readonly pipelineId: string;
    readonly sensor: string;
    readonly failures: number;
    readonly error: string | null;
  }[];
  readonly failingProbes: readonly { readonly probe: string; readonly failures: number; readonly error: string | null }[];
}

/** Everything that rules look at. */
export interface Snapshot {
  readonly now: number;
  readonly pipelines: readonly PipelineSnapshot[];
  readonly nodes: readonly NodeSnapshot[];
  readonly queue: { readonly length: number; readonly oldestAt: number | null };
  readonly silences: readonly Silence[];
}

/** An alert that is pending or fires. Instants are epoch ms. */
export interface AlertState {
  /** Of rule, pipeline and what it is about. */
  readonly id: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly pipelineId: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly status: "pending" | "firing";
  readonly since: number;
  readonly firedAt: number | null;
  /** When it was last notified; `null` if never. */
  readonly notifiedAt: number | null;
  readonly message: string;
  readonly value: number | null;
  readonly limit: number | null;
  /** Reason why nobody is notified: a silence's id, or `maintenance`. */
  readonly silencedBy: string | null;
  /** The run that it is about; `null`, or not there, for none. */
  readonly run?: AlertRun | null;
}

/** Change of an alert that is to be notified. */
export interface AlertTransition {
  readonly kind: "fired" | "repeated" | "resolved";
  readonly alert: AlertState;
  readonly at: number;
}

/** A silence: alerts that match it are not notified. */
export interface Silence {
  readonly id: string;
  /** Pipeline that it applies to; `null`, here and below, for any. */
  readonly pipelineId: string | null;
  readonly rule: string | null;
  readonly tag: string | null;
  readonly from: number;
  readonly until: number;
  readonly reason: string | null;
  readonly user: string | null;
}
