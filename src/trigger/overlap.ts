/**
 * What happens when a scheduled trigger is ready while its pipeline's runs are all taken (`maxActiveRuns`):
 * it waits (`queue`), waits as the only scheduled one, the newest replacing the older (`queue_one`), is skipped (`skip`), or the
 * runs under way are cancelled for it (`cancel_running`). What somebody asked for always queues.
 */
export type Overlap = "queue" | "queue_one" | "skip" | "cancel_running";

export const OVERLAPS: readonly Overlap[] = ["queue", "queue_one", "skip", "cancel_running"];
