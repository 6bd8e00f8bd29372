import { toDate } from "../base/instant.js";
import type { PauseFacts, TriggerKind } from "../trigger/trigger.js";
import { catchupView, type LateCause } from "../trigger/view.js";
import type { DecisionOutcome, DecisionRecord, Finding, MissedFires } from "./finding.js";

/** A decision as it is handed out. */
export interface Decision {
  readonly id: string;
  readonly pipelineId: string;
  /** `null` when a fire time was dropped before it became a trigger. */
  readonly triggerId: string | null;
  readonly kind: TriggerKind;
  readonly scheduledFor: Date | null;
  readonly at: Date;
  readonly outcome: DecisionOutcome;
  readonly reason: string;
  readonly findings: readonly FindingView[];
  /** Holds in a row that said the same, kept as one: how many looks, and when the last one was. Reason and findings are those of the last one. `null`: there was one look. */
  readonly repeated: { readonly count: number; readonly lastAt: Date } | null;
  /** Fire times dropped in a row that it stands for: how many, the last of them, and what kept them from being made on time. */
  readonly missed: MissedFiresView | null;
  /** `["findings"]` when they are larger than `valueLimit`; absent otherwise. */
  readonly omitted?: readonly string[];
}

/** Facts about dropped fire times, as returned by the API. */
export interface MissedFiresView {
  readonly count: number;
  readonly lastAt: Date;
  readonly cause?: LateCause;
  /** The pause that covered them. */
  readonly pause?: PauseFacts & { readonly at: Date; readonly until: Date };
  /** A user left it out: when, why and by whom. */
  readonly skip?: { readonly at: Date; readonly reason: string | null; readonly user: string | null };
}

/** A finding as it is handed out. */
export type FindingView = Omit<Finding, "recheckAt"> & { readonly recheckAt?: Date };

export function decisionView(record: DecisionRecord): Decision {
  return {
    ...record,
    scheduledFor: toDate(record.scheduledFor),
    at: toDate(record.at),
    findings: record.findings.map(findingView),
    repeated: record.repeated ? { count: record.repeated.count, lastAt: toDate(record.repeated.lastAt) } : null,
    missed: record.missed === null ? null : missedView(record.missed),
  };
}

function missedView({ count, lastAt, cause, pause, skip }: MissedFires): MissedFiresView {
  const late = cause === undefined ? null : catchupView(cause);
  return {
    count,
    lastAt: toDate(lastAt),
    ...(late === null ? {} : { cause: late }),
    ...(pause === undefined ? {} : { pause: { ...pause, at: toDate(pause.at), until: toDate(pause.until) } }),
    ...(skip === undefined ? {} : { skip: { ...skip, at: toDate(skip.at) } }),
  };
}

export function findingView(finding: Finding): FindingView {
  const { recheckAt, ...rest } = finding;
  return recheckAt === undefined ? rest : { ...rest, recheckAt: toDate(recheckAt) };
}
