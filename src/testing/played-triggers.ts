import type { Store } from "../ports/store.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import { keyOf } from "./recorded-run.js";

/** Triggers read of one fire time: one is scheduled, the others are backfills. */
const SAME_FIRE_TIME = 1_000;

/** Mapping of the triggers of a play to those of the history. */
export class PlayedTriggers {
  readonly #keys = new Map<string, string>();
  readonly #ids = new Map<string, string>();
  readonly #pipelineId: string;

  constructor(pipelineId: string) {
    this.#pipelineId = pipelineId;
  }

  /** Notes which trigger was made for a recorded request. */
  add(id: string, key: string): void {
    this.#keys.set(id, key);
    this.#ids.set(key, id);
  }

  /** Returns the key of a trigger of the play. */
  keyOf({ id, kind, scheduledFor }: Pick<TriggerRecord, "id" | "kind" | "scheduledFor">): string {
    return this.#keys.get(id) ?? keyOf(kind, scheduledFor, id);
  }

  /** Returns the id of the trigger that stands for a recorded one; `null` when the play has none. */
  async idOf({ key, scheduledFor }: { readonly key: string; readonly scheduledFor: number | null }, store: Store): Promise<string | null> {
    const known = this.#ids.get(key);
    if (known !== undefined || scheduledFor === null) return known ?? null;
    const span = { from: scheduledFor, until: scheduledFor + 1, limit: SAME_FIRE_TIME };
    const found = await store.triggersForFireTimes({ pipelineId: this.#pipelineId, ...span });
    return found.find(({ kind }) => kind === "scheduled")?.id ?? null;
  }
}
