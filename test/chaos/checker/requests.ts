import type { Evidence, Violation } from "../evidence.js";
import { SENSED_MS } from "../pipelines.js";
import { iso } from "./fire-times.js";
import { groupBy } from "./group-by.js";

const ACCEPTED = "an accepted trigger is never lost: it ends";
const ONCE = "a trigger under an idempotency key is accepted once";
const REACHABLE = "a request is accepted when everything works again";
const FOLLOWS = "each success triggers what follows once";
const SENSED = "what a sensor finds becomes one trigger, nothing is lost";
const KEPT = "what is changed at run time is kept";
const ENDED: ReadonlySet<string> = new Set(["succeeded", "failed", "skipped", "expired", "cancelled", "superseded"]);

/** What was accepted is in the store, once, and has ended by the end of an epoch. */
export function requests({ requests: asked, store }: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const { ids, key, pipeline } of asked)
    if (new Set(ids).size > 1)
      violations.push({ invariant: ONCE, message: `${pipeline}: ${key} was answered with ${ids.join(", ")}`, ids, at: null });
  if (store === null) return violations;
  const byId = new Map(store.triggers.map((trigger) => [trigger.id, trigger]));
  const byKey = groupBy(
    store.triggers.filter(({ key }) => key !== null),
    ({ pipelineId, key }) => `${pipelineId} ${key}`,
  );
  for (const [key, triggers] of byKey)
    if (triggers.length > 1)
      violations.push({
        invariant: ONCE,
        message: `${triggers.length} triggers have the key ${key}`,
        ids: triggers.map(({ id }) => id),
        at: null,
      });
  for (const { ids, key, pipeline, acceptedAt, sentAt } of asked) {
    if (key !== null && acceptedAt === null)
      violations.push({
        invariant: REACHABLE,
        message: `${pipeline}: ${key}, asked for since ${iso(sentAt)}, was never accepted`,
        ids,
        at: sentAt,
      });
    for (const id of ids) {
      const trigger = byId.get(id);
      if (trigger === undefined)
        violations.push({ invariant: ACCEPTED, message: `${pipeline}: ${id} was accepted and is not there`, ids, at: acceptedAt });
      else if (!ENDED.has(trigger.status))
        violations.push({
          invariant: ACCEPTED,
          message: `${pipeline}: ${id} was accepted and is still ${trigger.status}`,
          ids,
          at: acceptedAt,
        });
    }
  }
  return violations;
}

/** Every success of a pipeline triggered the one that follows it once. */
export function followers({ store, pipelines }: Evidence): Violation[] {
  if (store === null) return [];
  return pipelines.flatMap(({ id, after }) => {
    if (after === undefined) return [];
    const made = groupBy(
      store.triggers.filter(({ kind, pipelineId }) => kind === "dependency" && pipelineId === id),
      ({ key }) => key,
    );
    return store.runs
      .filter(({ pipelineId, status }) => pipelineId === after && status === "succeeded")
      .flatMap((run) => {
        const count = made.get(`run:${run.id}`)?.length ?? 0;
        return count === 1
          ? []
          : [
              {
                invariant: FOLLOWS,
                message: `${id}: run ${run.id} of ${after} was followed by ${count} triggers`,
                ids: [run.id],
                at: run.endedAt,
              },
            ];
      });
  });
}

/** The sensor's instants follow each other without gap or double. */
export function sensed({ store, until }: Evidence): Violation[] {
  const keys = (store?.triggers ?? []).flatMap(({ pipelineId, kind, key }) =>
    pipelineId === "sensed" && kind === "sensor" ? Number(key?.split(":").at(-1)) : [],
  );
  const seen = new Set(keys);
  const [first, last] = [Math.min(...keys), Math.max(...keys)];
  const violations: Violation[] = [];
  const add = (message: string, second: number) =>
    violations.push({ invariant: SENSED, message: `sensed: ${message}`, ids: [], at: second * SENSED_MS });
  if (seen.size < keys.length) add(`${keys.length - seen.size} of ${keys.length} were found twice`, first);
  for (let second = first; second <= last; second++) if (!seen.has(second)) add(`${iso(second * SENSED_MS)} was not found`, second);
  if (last * SENSED_MS > until + SENSED_MS) add(`${iso(last * SENSED_MS)} was found ahead of its time`, last);
  return violations.slice(0, 10);
}

/** The last confirmed change of a setting is in force, or one that was asked for later and never answered. */
export function settings({ settings: all, store }: Evidence): Violation[] {
  if (store === null) return [];
  const violations = all.flatMap(({ name, confirmed, possible }) => {
    const now = store.settings.get(name) ?? null;
    if (confirmed === null || now === confirmed || (now !== null && possible.includes(now))) return [];
    return [{ invariant: KEPT, message: `${name}: ${confirmed} was confirmed, ${now} is there`, ids: [], at: null }];
  });
  const problem = store.auditProblem;
  return problem === null ? violations : [...violations, { invariant: "the audit log is intact", message: problem, ids: [], at: null }];
}
