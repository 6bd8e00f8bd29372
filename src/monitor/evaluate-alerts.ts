import type { AlertRule, AlertState, AlertTransition, Concern, PipelineSnapshot, RuleViolation, Silence, Snapshot } from "./alert.js";

/** Result of an evaluation. */
export interface Evaluation {
  /** List pending and firing alerts: the next evaluation's `previous`. */
  readonly alerts: readonly AlertState[];
  /** Notifications to send, in the order of the rules. */
  readonly transitions: readonly AlertTransition[];
  /** The runs that alerts of `transitions` are about, by the alert's id: to be read by who sends them. */
  readonly concerns: ReadonlyMap<string, Concern>;
  /** Rules that threw; what they had found before stands. */
  readonly problems: readonly { readonly rule: string; readonly error: unknown }[];
}

/**
 * Returns the alerts to notify, from the current and the previous state. Pure: the same input gives the same result.
 *
 * An alert fires once its rule has been violated for as long as the rule says, is notified once, and again every `repeatMs` while it persists. When it is over it is resolved, which is notified if the alert
 * was. While it is silenced, or its pipeline is in maintenance, it is not notified; if it still fires afterwards, it is notified then.
 *
 * @example
 * const { alerts, transitions } = evaluateAlerts(rules, snapshot, previous, Date.now());
 */
export function evaluateAlerts(rules: readonly AlertRule[], snapshot: Snapshot, previous: readonly AlertState[], now: number): Evaluation {
  const before = new Map(previous.map((one) => [one.id, one]));
  const alerts: AlertState[] = [];
  const transitions: AlertTransition[] = [];
  const concerns = new Map<string, Concern>();
  const taken = new Set<string>();
  const problems: { rule: string; error: unknown }[] = [];
  const pipelines = new Map(snapshot.pipelines.map((one) => [one.id, one]));
  const silences = snapshot.silences.filter(({ from, until }) => from <= now && now < until);
  const take = (rule: AlertRule, firing: RuleViolation, pipeline: PipelineSnapshot | null) => {
    const id = idOf(rule, pipeline, firing);
    if (taken.has(id)) return; // a rule found it twice: it is one alert
    taken.add(id);
    const known = before.get(id);
    before.delete(id);
    const next = moved(stateOf(id, rule, firing, pipeline, known, now), rule, silencedBy(rule, pipeline, silences), now);
    alerts.push(next.alert);
    if (next.transition === null) return;
    transitions.push(next.transition);
    if (firing.concerns !== undefined) concerns.set(id, firing.concerns);
  };
  for (const rule of rules) {
    try {
      if (rule.scope === "scheduler")
        for (const firing of rule.check(snapshot)) take(rule, firing, pipelines.get(firing.pipelineId ?? "") ?? null);
      else
        for (const pipeline of snapshot.pipelines) {
          if (rule.alertOn !== null && !pipeline.alertOn.includes(rule.alertOn)) continue;
          if (rule.appliesTo !== null && !rule.appliesTo(pipeline)) continue;
          const firing = rule.check(pipeline, snapshot);
          if (firing !== null) take(rule, firing, pipeline);
        }
    } catch (error) {
      problems.push({ rule: rule.name, error });
      for (const one of previous) {
        if (one.rule !== rule.name || !before.delete(one.id)) continue;
        alerts.push(one);
      }
    }
  }
  for (const gone of before.values()) {
    if (gone.notifiedAt !== null) transitions.push({ kind: "resolved", alert: gone, at: now });
  }
  return { alerts, transitions, concerns, problems };
}

function idOf({ name }: AlertRule, pipeline: PipelineSnapshot | null, { key }: RuleViolation): string {
  return [name, pipeline?.id ?? "", key ?? ""].join("|");
}

function stateOf(
  id: string,
  rule: AlertRule,
  { message, value = null, limit = null }: RuleViolation,
  pipeline: PipelineSnapshot | null,
  known: AlertState | undefined,
  now: number,
): AlertState {
  return {
    id,
    rule: rule.name,
    severity: rule.severity,
    pipelineId: pipeline?.id ?? null,
    labels: rule.labels,
    tags: pipeline?.tags ?? [],
    status: known?.status ?? "pending",
    since: known?.since ?? now,
    firedAt: known?.firedAt ?? null,
    notifiedAt: known?.notifiedAt ?? null,
    message,
    value,
    limit,
    silencedBy: known?.silencedBy ?? null,
    run: known?.run ?? null,
  };
}

/** pending ──► firing, with the notification to send. */
function moved(
  alert: AlertState,
  { forMs, repeatMs }: AlertRule,
  silence: string | null,
  now: number,
): { alert: AlertState; transition: AlertTransition | null } {
  if (alert.status === "pending" && now - alert.since < forMs) return { alert: { ...alert, silencedBy: silence }, transition: null };
  const firing: AlertState = { ...alert, status: "firing", firedAt: alert.firedAt ?? now, silencedBy: silence };
  if (silence !== null) return { alert: firing, transition: null };
  const isDue = firing.notifiedAt === null || (repeatMs !== null && now - firing.notifiedAt >= repeatMs);
  if (!isDue) return { alert: firing, transition: null };
  const notified: AlertState = { ...firing, notifiedAt: now };
  return { alert: notified, transition: { kind: firing.notifiedAt === null ? "fired" : "repeated", alert: notified, at: now } };
}

function silencedBy(rule: AlertRule, pipeline: PipelineSnapshot | null, silences: readonly Silence[]): string | null {
  if (pipeline?.isInMaintenance) return "maintenance";
  const found = silences.find(
    (one) =>
      (one.rule === null || one.rule === rule.name) &&
      (one.pipelineId === null || one.pipelineId === pipeline?.id) &&
      (one.tag === null || (pipeline?.tags.includes(one.tag) ?? false)),
  );
  return found?.id ?? null;
}
