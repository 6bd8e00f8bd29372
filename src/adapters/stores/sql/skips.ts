import type { AuditedWrite } from "../../../ports/store/audit.js";
import { type SkippedFire, withoutSkips, withSkips } from "../../../schedule/skips.js";
import { note } from "./audit.js";
import { changing, type Session, selectLocked } from "./database.js";
import { PIPELINES } from "./tables.js";

/** Adds fire times that are to be left out; returns all of the pipeline, `null` when there is no such pipeline. Whatever fires has ended before, or sees them. */
export function skip(
  session: Session,
  pipelineId: string,
  added: readonly SkippedFire[],
  noted?: AuditedWrite,
): Promise<readonly SkippedFire[] | null> {
  return change(session, pipelineId, noted, (skips, nextFireAt) => withSkips(skips, added, { pipelineId, nextFireAt }));
}

/** Removes skips; returns those that were removed, `null` when there is no such pipeline. */
export async function unskip(
  session: Session,
  pipelineId: string,
  fireTimes: readonly number[] | null,
  noted?: AuditedWrite,
): Promise<readonly SkippedFire[] | null> {
  let removed: readonly SkippedFire[] = [];
  const left = await change(session, pipelineId, noted, (skips) => {
    const kept = withoutSkips(skips, fireTimes);
    removed = skips.filter((one) => !kept.includes(one));
    return removed.length === 0 ? skips : kept;
  });
  return left === null ? null : removed;
}

async function change(
  session: Session,
  pipelineId: string,
  noted: AuditedWrite | undefined,
  next: (skips: readonly SkippedFire[], nextFireAt: number | null) => readonly SkippedFire[],
): Promise<readonly SkippedFire[] | null> {
  const row = (await selectLocked(session, PIPELINES, [pipelineId])).get(pipelineId);
  if (row === undefined) return null;
  const before = row.skips ?? [];
  const skips = next(before, row.nextFireAt);
  if (skips === before) return skips;
  await session.write([changing(PIPELINES, [{ ...row, skips: skips.length === 0 ? null : skips }], ["skips"])]);
  await note(session, noted, before);
  return skips;
}
