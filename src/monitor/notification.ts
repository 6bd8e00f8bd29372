import type { AlertState, AlertTransition, Severity } from "./alert.js";

/** Where alerts go. What is not named is any; the first route that matches takes an alert, unless it says `continue`. */
export interface AlertRoute {
  /** Names of channels. */
  readonly channels: readonly string[];
  readonly severities?: readonly Severity[];
  readonly pipelines?: readonly string[];
  readonly tags?: readonly string[];
  readonly rules?: readonly string[];
  /** What is told together: alerts of one rule (default), of one pipeline, all, or each for itself. */
  readonly groupBy?: "rule" | "pipeline" | "all" | "none";
  /** The channel that is told when one of `channels` fails three times in a row. */
  readonly fallback?: string;
  /** Whether routes behind this one are asked too. Default false. */
  readonly continue?: boolean;
}

/** What is on its way to a channel, as it is kept until it has arrived. Instants are epoch ms. */
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

/** What a channel is handed. */
export interface AlertNotification {
  /** The same each time it is tried: what has seen it may pass over it. */
  readonly id: string;
  readonly at: Date;
  /** The worst of its alerts that are not resolved; of all when they are. */
  readonly severity: Severity;
  readonly subject: string;
  /** A line for each alert. */
  readonly text: string;
  readonly alerts: readonly AlertTransition[];
  /** The channel that failed, when this one stands in for it. */
  readonly insteadOf: string | null;
}

const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 };

/** What is to be delivered of what has happened to alerts: routed and grouped. */
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

/** Deliveries to one channel that wait, as one: for when there are more than may be sent. */
export function merged(deliveries: readonly [Delivery, ...Delivery[]]): Delivery {
  return { ...deliveries[0], transitions: deliveries.flatMap(({ transitions }) => transitions) };
}

/** What a channel is handed of a delivery. */
export function notificationOf({ id, transitions, createdAt, insteadOf }: Delivery): AlertNotification {
  const open = transitions.filter(({ kind }) => kind !== "resolved");
  const counted = open.length > 0 ? open : transitions;
  const severity = counted.reduce<Severity>((worst, { alert }) => (RANK[alert.severity] > RANK[worst] ? alert.severity : worst), "info");
  const [first] = transitions;
  const what = transitions.length === 1 && first !== undefined ? lineOf(first) : countsOf(transitions);
  const instead = insteadOf === null ? "" : ` (channel ${insteadOf} does not answer)`;
  return {
    id,
    at: new Date(createdAt),
    severity,
    subject: `[headgate] ${what}`.slice(0, 200) + instead,
    text: transitions.map(lineOf).join("\n"),
    alerts: transitions,
    insteadOf,
  };
}

/** `CRITICAL run_failed sales: the last run failed`. */
function lineOf({ kind, alert }: AlertTransition): string {
  const head = kind === "resolved" ? "RESOLVED" : alert.severity.toUpperCase();
  const whose = alert.pipelineId === null ? "" : ` ${alert.pipelineId}`;
  return `${head} ${alert.rule}${whose}: ${kind === "resolved" ? `no longer so (was: ${alert.message})` : alert.message}`;
}

function countsOf(transitions: readonly AlertTransition[]): string {
  const resolved = transitions.filter(({ kind }) => kind === "resolved").length;
  const open = transitions.length - resolved;
  const rules = [...new Set(transitions.map(({ alert }) => alert.rule))].slice(0, 3).join(", ");
  return `${[open > 0 ? `${open} alerts` : "", resolved > 0 ? `${resolved} resolved` : ""].filter(Boolean).join(", ")}: ${rules}`;
}
