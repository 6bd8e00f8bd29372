import { durationMs } from "../base/duration.js";
import { isOptionsObject, type RefuseOption } from "../base/options.js";
import { shown } from "../base/shown.js";
import { checkCondition } from "../gate/condition.js";
import type { AlertReason } from "../monitor/alert.js";

const ALERT_REASONS: readonly AlertReason[] = ["failure", "retry", "sla_miss"];

type Check = (value: unknown, refuse: RefuseOption) => void;

/** Checks of the options that pipelines and patterns have in common, by name: both refuse the same, with the same text. `execution` has a check of its own. */
export const SHARED_CHECKS = {
  description: (value, refuse) => {
    if (typeof value !== "string") throw refuse("description", `must be a string (got ${shown(value)})`);
  },
  schedule: (value, refuse) => {
    const { nextAfter, key, describe } = (value ?? {}) as Record<string, unknown>;
    if (typeof nextAfter === "function" && typeof key === "string" && typeof describe === "function") return;
    throw refuse("schedule", `must be a schedule such as cron(…), every(…), at(…) or manual() (got ${shown(value)})`);
  },
  conditions: (value, refuse) => {
    if (!Array.isArray(value)) throw refuse("conditions", `must be an array of conditions (got ${shown(value)})`);
    for (const [index, one] of value.entries()) checkCondition(one, `conditions[${index}]`, refuse);
  },
  sla: (value) => {
    if (value !== null) durationMs(value as number, "sla");
  },
  tags: (value, refuse) => {
    if (!Array.isArray(value) || !value.every((one) => typeof one === "string" && one !== ""))
      throw refuse("tags", `must be an array of strings (got ${shown(value)})`);
  },
  alertOn: (value, refuse) => {
    if (!Array.isArray(value)) throw refuse("alertOn", `must be an array of ${ALERT_REASONS.join(", ")} (got ${shown(value)})`);
    for (const one of value)
      if (!ALERT_REASONS.includes(one)) throw refuse("alertOn", `${shown(one)} is unknown; allowed: ${ALERT_REASONS.join(", ")}`);
  },
} as const satisfies Readonly<Record<string, Check>>;

export type SharedOption = keyof typeof SHARED_CHECKS;

/** True for what `definePattern` and `pattern` return. */
export function isPattern(value: unknown): boolean {
  if (!isOptionsObject(value)) return false;
  const { name, options, schedule, execution } = value as Record<string, unknown>;
  return typeof name === "string" && isOptionsObject(options) && isOptionsObject(schedule) && isOptionsObject(execution);
}
