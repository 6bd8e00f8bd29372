/**
 * Conditions and expressions that stand in the schema: they never change. SQLite takes a partial index only for a statement in which the very same condition stands, beside a narrower one if need be.
 */

/** Columns as expressions: only the index on the expression will do for it, whatever a planner believes of others on the column. */
export const HIDDEN = { pipelineId: "pipeline_id || ''", status: "status || ''" } as const;

/** True of triggers that wait. */
export const WAITING = "status IN ('pending', 'held')";

/** True of runs that run or are between two attempts. */
export const ACTIVE = "status IN ('running', 'retrying')";

/**
 * True of triggers that have ended without success: in a list of these, most of history is passed over. Said by what they are not, since SQLite would look up one by one what they are.
 */
export const UNSUCCESSFUL_TRIGGER = "status NOT IN ('pending', 'held', 'running', 'succeeded')";

/** The same of runs. */
export const UNSUCCESSFUL_RUN = "status NOT IN ('running', 'retrying', 'succeeded')";
