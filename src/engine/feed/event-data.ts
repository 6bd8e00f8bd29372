import type { MissedPause } from "../../gate/finding.js";
import type { Decision } from "../../gate/view.js";
import type { Run } from "../../run/view.js";

/** Bytes of JSON that one event has at most. */
const MOST_BYTES = 8_192;
/** Characters of one text, such as an error's message. */
const MOST_TEXT = 800;

/** Payload of `run.*` events in the event log. Instants are ISO 8601. */
export interface RunEventData {
  readonly id: string;
  readonly triggerId: string;
  readonly status: string;
  readonly scheduledFor: string | null;
  readonly attempt: number;
  readonly node: string;
  readonly startedAt: string;
  readonly attemptStartedAt: string;
  readonly endedAt: string | null;
  readonly retryAt: string | null;
  readonly error: { readonly message: string; readonly code: string | null } | null;
  /** Fields of the run that the event leaves out or shortens. */
  readonly omitted: readonly string[];
}

/** Payload of `decision` events in the event log. Instants are ISO 8601. */
export interface DecisionEventData {
  readonly id: string;
  readonly triggerId: string | null;
  readonly kind: string;
  readonly scheduledFor: string | null;
  readonly at: string;
  readonly outcome: string;
  readonly reason: string;
  readonly findings: readonly {
    readonly condition: string;
    readonly result: string;
    readonly reason: string;
    readonly evidence: unknown;
    readonly recheckAt: string | null;
  }[];
  readonly repeated: { readonly count: number; readonly lastAt: string } | null;
  readonly missed: {
    readonly count: number;
    readonly lastAt: string;
    readonly pause?: Omit<MissedPause, "at" | "until"> & { readonly at: string; readonly until: string };
  } | null;
  /** Fields of the decision that the event leaves out or shortens. */
  readonly omitted: readonly string[];
}

/** Returns the JSON of a run's event: everything but output, progress and earlier attempts. */
export function runEventData(run: Run): string {
  const omitted = [
    ...(run.output === null || run.output === undefined ? [] : ["output"]),
    ...(run.progress === null || run.progress === undefined ? [] : ["progress"]),
    ...(run.attempts.length === 0 ? [] : ["attempts"]),
    ...((run.error?.message.length ?? 0) > MOST_TEXT ? ["error"] : []),
    ...(run.error?.stack === undefined ? [] : ["error.stack"]),
    ...(run.error?.cause === undefined ? [] : ["error.cause"]),
  ];
  const data: RunEventData = {
    id: run.id,
    triggerId: run.triggerId,
    status: run.status,
    scheduledFor: iso(run.scheduledFor),
    attempt: run.attempt,
    node: run.node.slice(0, 200),
    startedAt: run.startedAt.toISOString(),
    attemptStartedAt: run.attemptStartedAt.toISOString(),
    endedAt: iso(run.endedAt),
    retryAt: iso(run.retryAt),
    error:
      run.error === null
        ? null
        : { message: shortened(run.error.message), code: run.error.code === null ? null : run.error.code.slice(0, 100) },
    omitted,
  };
  return JSON.stringify(data);
}

/** Returns the JSON of a decision's event: with all findings, without their evidence, or without them, the first that is small enough. */
export function decisionEventData(decision: Decision): string {
  const { findings } = decision;
  const brief = findings.map(({ condition, result, reason }) => ({
    condition: shortened(condition),
    result,
    reason: shortened(reason),
    evidence: null,
    recheckAt: null,
  }));
  const full = () =>
    findings.map(({ condition, result, reason, evidence, recheckAt }) => ({
      condition,
      result,
      reason,
      evidence: evidence ?? null,
      recheckAt: iso(recheckAt ?? null),
    }));
  const omitted = decision.reason.length > MOST_TEXT ? ["reason"] : [];
  return (
    within(decisionData(decision, full(), omitted)) ??
    within(decisionData(decision, brief, [...omitted, "evidence"])) ??
    JSON.stringify(decisionData(decision, [], [...omitted, "findings"]))
  );
}

function decisionData(decision: Decision, findings: DecisionEventData["findings"], omitted: readonly string[]): DecisionEventData {
  return {
    id: decision.id,
    triggerId: decision.triggerId,
    kind: decision.kind,
    scheduledFor: iso(decision.scheduledFor),
    at: decision.at.toISOString(),
    outcome: decision.outcome,
    reason: shortened(decision.reason),
    findings,
    repeated: rowOf(decision.repeated),
    missed: decision.missed === null ? null : missedData(decision.missed),
    omitted,
  };
}

function rowOf(row: Decision["repeated"]): DecisionEventData["repeated"] {
  return row === null ? null : { count: row.count, lastAt: row.lastAt.toISOString() };
}

function missedData({ count, lastAt, pause }: NonNullable<Decision["missed"]>): DecisionEventData["missed"] {
  const shown = pause === undefined ? {} : { pause: { ...pause, at: pause.at.toISOString(), until: pause.until.toISOString() } };
  return { count, lastAt: lastAt.toISOString(), ...shown };
}

/** Returns the JSON, or `null` when it has too many bytes. */
function within(data: DecisionEventData): string | null {
  const text = JSON.stringify(data);
  return text.length <= MOST_BYTES && Buffer.byteLength(text) <= MOST_BYTES ? text : null;
}

function shortened(text: string): string {
  return text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT - 1)}…`;
}

function iso(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}
