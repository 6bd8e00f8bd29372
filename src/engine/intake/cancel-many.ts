import { HeadgateError } from "../../base/errors.js";
import { epochMs } from "../../base/instant.js";
import { checkOneOf, checkOptions, invalidArgument, type OptionNames } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { ACT_OPTIONS } from "../../pipeline/requests.js";
import { SELECTION_OPTIONS, type Selectable, selectedPipelines, selectionOf } from "../../pipeline/selection.js";
import type { CancelledMany, CancelManyOptions } from "../../ports/scheduler-api/cancel-many.js";
import type { TriggerQuery } from "../../ports/store.js";
import type { TriggerRecord, TriggerStatus } from "../../trigger/trigger.js";
import { triggerView } from "../../trigger/view.js";
import type { Core } from "../context/core.js";

const OPTIONS: OptionNames<CancelManyOptions> = {
  ...ACT_OPTIONS,
  ...SELECTION_OPTIONS,
  status: true,
  kind: true,
  from: true,
  until: true,
  everything: true,
  preview: true,
};
const STATUSES: Readonly<Record<NonNullable<CancelManyOptions["status"]>, readonly TriggerStatus[]>> = {
  waiting: ["pending", "held"],
  active: ["running"],
  all: ["pending", "held", "running"],
};
/** Triggers cancelled by one call. */
const MOST = 1_000;
/** Triggers that are cancelled at the same time. */
const AT_ONCE = 10;

/**
 * Cancels what matches a filter, each by itself: those that wait end, runs are asked to.
 *
 * @param cancelOne - cancels one, with its audit record
 */
export async function cancelMany(
  { store, clock }: Pick<Core, "clock" | "store">,
  options: CancelManyOptions,
  all: () => readonly Selectable[],
  cancelOne: (triggerId: string, act: ActionContext) => Promise<unknown>,
): Promise<CancelledMany> {
  const { queries, isPreview } = queriesOf(options, all);
  const act = actOf(options);
  const found: TriggerRecord[] = [];
  let isComplete = true;
  for (const query of queries) {
    const some = await store.listTriggers({ ...query, limit: MOST + 1 - found.length });
    found.push(...some);
    if (some.next !== undefined || found.length > MOST) isComplete = false;
    if (found.length > MOST) break;
    await clock.yield?.();
  }
  const triggers = found.slice(0, MOST).sort((one, other) => (one.id < other.id ? 1 : -1));
  if (isPreview) return { triggers: triggers.map(triggerView), isComplete };
  const cancelled: TriggerRecord[] = [];
  for (let start = 0; start < triggers.length; start += AT_ONCE) {
    const some = triggers.slice(start, start + AT_ONCE);
    const results = await Promise.all(some.map(({ id }) => cancelOne(id, act).then(() => true, refuseUnlessEnded)));
    cancelled.push(...some.filter((_, index) => results[index]));
  }
  return { triggers: cancelled.map(triggerView), isComplete };
}

function actOf({ user, reason, caller }: ActionContext): ActionContext {
  return {
    ...(user === undefined ? {} : { user }),
    ...(reason === undefined ? {} : { reason }),
    ...(caller === undefined ? {} : { caller }),
  };
}

/** Passes over a trigger that has ended meanwhile; throws any other error. */
function refuseUnlessEnded(error: unknown): false {
  if (error instanceof HeadgateError && (error.code === "ALREADY_FINISHED" || error.code === "NOT_FOUND")) return false;
  throw error;
}

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_INSTANT`, `UNKNOWN_PIPELINE` */
function queriesOf(
  options: CancelManyOptions,
  all: () => readonly Selectable[],
): { readonly queries: readonly Omit<TriggerQuery, "limit">[]; readonly isPreview: boolean } {
  const refuse = invalidArgument("cancelMany");
  checkOptions(options, OPTIONS, "cancelMany", refuse);
  const { status = "waiting", kind, from, until, everything = false, preview = false } = options;
  checkOneOf(status, Object.keys(STATUSES), "status", refuse);
  for (const [name, value] of Object.entries({ everything, preview }))
    if (typeof value !== "boolean") throw refuse(name, `must be true or false (got ${shown(value)})`);
  const pipelineIds = selectedPipelines(selectionOf(options), all, refuse);
  const isNarrowed = pipelineIds !== null || [kind, from, until].some((one) => one !== undefined);
  if (isNarrowed === everything)
    throw refuse(
      "everything",
      isNarrowed ? "cannot be combined with another filter" : "must be true to cancel over all pipelines, or set a filter",
    );
  const query = {
    statuses: STATUSES[status],
    valueLimit: 0,
    ...(kind === undefined ? {} : { kinds: typeof kind === "string" ? [kind] : kind }),
    ...(from === undefined ? {} : { scheduledFrom: epochMs(from, "from") }),
    ...(until === undefined ? {} : { scheduledUntil: epochMs(until, "until") }),
  };
  return { queries: pipelineIds === null ? [query] : pipelineIds.map((pipelineId) => ({ ...query, pipelineId })), isPreview: preview };
}
