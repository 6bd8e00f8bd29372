import type { StatisticsRollUp, StatisticsStore } from "../../../ports/store/statistics.js";
import { isFencedBy } from "../../../run/lease.js";
import { adding, changing, type Session, select, selectLocked } from "./database.js";
import { LEASES, STATISTICS } from "./tables.js";

export function rollUps(session: Session, query: Parameters<StatisticsStore["rollUps"]>[0]): Promise<readonly StatisticsRollUp[]> {
  const { dialect } = session;
  if ("pipelineIds" in query) return select(session, STATISTICS, `WHERE pipeline_id ${dialect.isIn(1)}`, [dialect.list(query.pipelineIds)]);
  const { after, limit } = query;
  if (after === null) return select(session, STATISTICS, "ORDER BY pipeline_id LIMIT $1", [limit]);
  return select(session, STATISTICS, "WHERE pipeline_id > $1 ORDER BY pipeline_id LIMIT $2", [after, limit]);
}

/** The lease stays locked until the commit: a node that has it no longer writes nothing. */
export async function saveRollUps(session: Session, ...[lease, rows]: Parameters<StatisticsStore["saveRollUps"]>): Promise<boolean> {
  if (!isFencedBy((await selectLocked(session, LEASES, [lease.name])).get(lease.name), lease.token)) return false;
  const ids = rows.map(({ pipelineId }) => pipelineId);
  const { dialect } = session;
  const found = await session.query(`SELECT pipeline_id FROM ${dialect.name(STATISTICS.name)} WHERE pipeline_id ${dialect.isIn(1)}`, [
    dialect.list(ids),
  ]);
  const there = new Set(found.map(({ pipeline_id }) => String(pipeline_id)));
  await session.write([
    adding(
      STATISTICS,
      rows.filter(({ pipelineId }) => !there.has(pipelineId)),
    ),
    changing(
      STATISTICS,
      rows.filter(({ pipelineId }) => there.has(pipelineId)),
      ["until", "windowMs", "state"],
    ),
  ]);
  return true;
}
