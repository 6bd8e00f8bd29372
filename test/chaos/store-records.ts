import { auditSettings } from "../../src/engine/access/audit-keys.js";
import { AuditVerifier } from "../../src/engine/access/audit-verifier.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import type { Store } from "../../src/index.js";
import type { Setting, StoreRecords } from "./evidence.js";
import { PIPELINES } from "./pipelines.js";

const ALL = 1_000_000;

/** Does something with the store itself, past all that is broken. */
export async function onStore<T>(url: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = storeFromUrl(url);
  await store.open();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Reads everything that a store keeps of an epoch. */
export async function readStore(store: Store): Promise<StoreRecords> {
  const [triggers, runs, decisions] = [
    await store.listTriggers({ limit: ALL }),
    await store.listRuns({ limit: ALL }),
    await store.listDecisions({ limit: ALL }),
  ];
  const states = (await store.states(PIPELINES.map(({ id }) => id))).filter((state) => state !== null);
  const byId = new Map(states.map((state) => [state.id, state]));
  const settings = new Map<Setting["name"], string | null>([
    ["pause of halted", byId.get("halted")?.pause?.reason ?? null],
    ["interval of retimed", /^every\((\d+),/.exec(byId.get("retimed")?.scheduleKey ?? "")?.[1] ?? null],
  ]);
  const { problem } = await new AuditVerifier(store, auditSettings().keys).verify({}, null);
  return {
    triggers,
    runs,
    decisions,
    nextFireAt: new Map(states.map(({ id, nextFireAt, pause }) => [id, pause === null ? nextFireAt : null])),
    settings,
    auditProblem: problem === null ? null : `record ${problem.seq}: ${problem.problem}`,
  };
}

/** Whether these triggers have ended, and every schedule that is not paused is at most `lateMs` behind. */
export async function isSettled(store: Store, ids: ReadonlySet<string>, lateMs: number): Promise<boolean> {
  const open = await store.listTriggers({ statuses: ["pending", "held", "running"], limit: ALL });
  const states = await store.states(PIPELINES.map(({ id }) => id));
  const isBehind = states.some((state) => state?.nextFireAt != null && state.pause === null && state.nextFireAt < Date.now() - lateMs);
  return !isBehind && !open.some(({ id }) => ids.has(id));
}
