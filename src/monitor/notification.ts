import { formatDuration } from "../base/duration.js";
import { isoUtc } from "../base/instant.js";
import type { AlertRun, AlertState, AlertTransition, Severity } from "./alert.js";

/** Where alerts go. What is not named is any; the first route that matches takes an alert, unless it says `continue`. */
export interface AlertRoute {
  /** Names of channels. */
  readonly channels: readonly string[];
  readonly severities?: readonly Severity[];
  readonly pipelines?: readonly string[];
  readonly tags?: readonly string[];
  readonly rules?: readonly string[];
  /** Grouping of notifications: by rule (default), by pipeline, all together, or each alone. */
  readonly groupBy?: "rule" | "pipeline" | "all" | "none";
  /** The channel that is notified when one of `channels` fails three times in a row. */
  readonly fallback?: string;
  /** Continue with the routes after this one. Default false. */
  readonly continue?: boolean;
}

/** A notification for a channel, stored until it is delivered. Instants are epoch ms. */
export interface Delivery {
  readonly id: string;
  readonly channel: string;
  readonly fallback: string | null;
  /** The channel that failed, when this one stands in for it. */
  readonly insteadOf: string | null;
  readonly transitions: readonly AlertTransition[];
  readonly createdAt: number;
  readonly attempts: number;
  readonly nextAt: number;
  readonly error: string | null;
}

/** One alert in a notification. */
export interface NotifiedAlert extends AlertTransition {
  /** Where there is more about its run or pipeline; `null` without a `baseUrl`. */
  readonly link: string | null;
}

/** Notification that a channel sends. */
export interface AlertNotification {
  /** The same each time it is tried: what has seen it may pass over it. */
  readonly id: string;
  /** When the newest of what it reports happened, however late it is sent. */
  readonly at: Date;
  /** The worst of its alerts that are not resolved; of all when they are. */
  readonly severity: Severity;
  readonly subject: string;
  /** A paragraph for each alert: what and when, the run with its error, and a link. */
  readonly text: string;
  /** In the order in which it happened: an alert that fired and was resolved before it could be sent is there twice. */
  readonly alerts: readonly NotifiedAlert[];
  /** The channel that failed, when this one stands in for it. */
  readonly insteadOf: string | null;
}

const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 };

/** Returns the notifications to deliver for changes of alerts: routed and grouped. */
export function deliveriesOf(
  transitions: readonly AlertTransition[],
  routes: readonly AlertRoute[],
  newId: () => string,
  now: number,
): readonly Delivery[] {
  const groups = new Map<string, { channel: string; fallback: string | null; transitions: AlertTransition[] }>();
  for (const transition of transitions) {
    for (const [index, route] of routes.entries()) {
      if (!matches(route, transition.alert)) continue;
      for (const channel of route.channels) {
        const key = `${index}|${channel}|${groupOf(route, transition.alert)}`;
        const group = groups.get(key);
        if (group === undefined) groups.set(key, { channel, fallback: route.fallback ?? null, transitions: [transition] });
        else group.transitions.push(transition);
      }
      if (route.continue !== true) break;
    }
  }
  return [...groups.values()].map((group) => ({
    id: newId(),
    ...group,
    insteadOf: null,
    createdAt: now,
    attempts: 0,
    nextAt: now,
    error: null,
  }));
}

function matches({ severities, pipelines, tags, rules }: AlertRoute, { severity, pipelineId, tags: own, rule }: AlertState): boolean {
  if (severities !== undefined && !severities.includes(severity)) return false;
  if (pipelines !== undefined && (pipelineId === null || !pipelines.includes(pipelineId))) return false;
  if (tags !== undefined && !own.some((tag) => tags.includes(tag))) return false;
  return rules === undefined || rules.includes(rule);
}

function groupOf({ groupBy = "rule" }: AlertRoute, { id, rule, pipelineId }: AlertState): string {
  switch (groupBy) {
    case "rule":
      return rule;
    case "pipeline":
      return pipelineId ?? "";
    case "all":
      return "";
    case "none":
      return id;
    default: {
      const unknown: never = groupBy;
      return unknown;
    }
  }
}

/**
 * Deliveries to one channel, as one that is sent. Its id is that of the newest: a receiver that has seen the older ones has not seen this.
 *
 * @param deliveries - in the order in which they were made
 */
export function merged(deliveries: readonly [Delivery, ...Delivery[]]): Delivery {
  const newest = deliveries.at(-1) as Delivery;
  return {
    ...deliveries[0],
    id: newest.id,
    createdAt: newest.createdAt,
    transitions: deliveries.flatMap(({ transitions }) => transitions),
  };
}

/**
 * Returns a delivery that is due with everything that waits behind it: what happened later to the same alerts goes with what happened before, never ahead of it.
 *
 * @param waiting - of one channel, in the order in which they were made
 */
export function withFollowing(first: Delivery, waiting: readonly Delivery[]): readonly [Delivery, ...Delivery[]] {
  const together: [Delivery, ...Delivery[]] = [first];
  const ids = new Set(idsOf(first));
  const others = new Set<string>();
  for (const one of waiting.slice(waiting.indexOf(first) + 1)) {
    const own = idsOf(one);
    const isBehind = own.some((id) => ids.has(id)) && !own.some((id) => others.has(id));
    if (isBehind) together.push(one);
    for (const id of own) (isBehind ? ids : others).add(id);
  }
  return together;
}

/** Returns the deliveries of one channel that wait behind no older one about the same alert. */
export function unblocked(waiting: readonly Delivery[]): readonly Delivery[] {
  const seen = new Set<string>();
  return waiting.filter((one) => {
    const ids = idsOf(one);
    const isFree = !ids.some((id) => seen.has(id));
    for (const id of ids) seen.add(id);
    return isFree;
  });
}

/** Returns the deliveries of one channel that were not tried yet and that wait behind none that was. */
export function untried(waiting: readonly Delivery[]): readonly Delivery[] {
  const tried = new Set<string>();
  return waiting.filter((one) => {
    const ids = idsOf(one);
    const isFree = one.attempts === 0 && !ids.some((id) => tried.has(id));
    if (!isFree) for (const id of ids) tried.add(id);
    return isFree;
  });
}

function idsOf({ transitions }: Delivery): readonly string[] {
  return transitions.map(({ alert }) => alert.id);
}

/**
 * Returns the notification of a delivery.
 *
 * @param baseUrl - the address of the service, without a slash at its end; `null` for no links
 */
export function notificationOf({ id, transitions, createdAt, insteadOf }: Delivery, baseUrl: string | null = null): AlertNotification {
  const alerts = transitions.map((one) => ({ ...one, link: baseUrl === null ? null : baseUrl + pathOf(one) }));
  const ends = [...new Map(alerts.map((one) => [one.alert.id, one])).values()]; // the last of each
  const open = ends.filter(({ kind }) => kind !== "resolved");
  const counted = open.length > 0 ? open : ends;
  const severity = counted.reduce<Severity>((worst, { alert }) => (RANK[alert.severity] > RANK[worst] ? alert.severity : worst), "info");
  const [only] = ends;
  const what = ends.length === 1 && only !== undefined ? lineOf(only) : countsOf(ends);
  const instead = insteadOf === null ? "" : ` (channel ${insteadOf} is not responding)`;
  return {
    id,
    at: new Date(Math.max(createdAt, ...transitions.map(({ at }) => at))),
    severity,
    subject: `[headgate] ${what}`.slice(0, 200) + instead,
    text: alerts.map((one) => [lineOf(one), ...detailsOf(one).map((line) => `  ${line}`)].join("\n")).join("\n"),
    alerts,
    insteadOf,
  };
}

/** Returns the first line of an alert: `CRITICAL run_failed sales: the last run failed`. */
function lineOf(one: AlertTransition): string {
  const { kind, alert } = one;
  const head = kind === "resolved" ? "RESOLVED" : alert.severity.toUpperCase();
  const whose = alert.pipelineId === null ? "" : ` ${alert.pipelineId}`;
  return `${head} ${alert.rule}${whose}: ${messageOf(one)}`;
}

/** An alert's message; of one that is resolved, how long it had fired. */
export function messageOf({ kind, alert, at }: AlertTransition): string {
  if (kind !== "resolved") return alert.message;
  return `over after ${formatDuration(Math.max(0, at - (alert.firedAt ?? alert.since)))} (was: ${alert.message})`;
}

/** The lines below: when it happened, the run that it is about, its error, and a link. */
export function detailsOf({ at, alert: { run = null }, link }: NotifiedAlert): readonly string[] {
  return [
    `at ${isoUtc(at)}`,
    ...(run === null ? [] : [runOf(run)]),
    ...(run?.error ? [`error: ${run.error.message}${run.error.code === null ? "" : ` (${run.error.code})`}`] : []),
    ...(link === null ? [] : [link]),
  ];
}

function runOf({ id, status, attempt, startedAt, trigger }: AlertRun): string {
  const what = `run ${id}: ${status.replace("_", " ")}, attempt ${attempt}, started ${isoUtc(startedAt)}`;
  if (trigger === null) return what;
  const { kind, scheduledFor, user, reason } = trigger;
  const more = [
    scheduledFor === null ? "" : ` for ${isoUtc(scheduledFor)}`,
    user === null ? "" : ` by ${user}`,
    reason === null ? "" : ` (${reason})`,
  ];
  return `${what}; ${kind} trigger ${trigger.id}${more.join("")}`;
}

function pathOf({ alert: { run = null, pipelineId }, at }: AlertTransition): string {
  if (run !== null) return `/api/v1/runs/${encodeURIComponent(run.id)}`;
  return pipelineId === null ? "/api/v1/alerts" : `/api/v1/pipelines/${encodeURIComponent(pipelineId)}/explain?at=${isoUtc(at)}`;
}

/** `2 alerts, 1 resolved: run_failed (sales, orders)`. */
function countsOf(transitions: readonly AlertTransition[]): string {
  const resolved = transitions.filter(({ kind }) => kind === "resolved").length;
  const open = transitions.length - resolved;
  const counts = [open > 0 ? `${open} ${open === 1 ? "alert" : "alerts"}` : "", resolved > 0 ? `${resolved} resolved` : ""];
  const pipelines = firstOf(transitions.flatMap(({ alert }) => alert.pipelineId ?? []));
  return `${counts.filter(Boolean).join(", ")}: ${firstOf(transitions.map(({ alert }) => alert.rule))}${pipelines === "" ? "" : ` (${pipelines})`}`;
}

/** The first three of some names, and how many more there are. */
function firstOf(names: readonly string[]): string {
  const all = [...new Set(names)];
  return all.slice(0, 3).join(", ") + (all.length > 3 ? ` and ${all.length - 3} more` : "");
}
