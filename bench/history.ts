import { createScheduler, functionExecutor, pipeline } from "headgate";
import type { Hand, Place } from "./stores.js";
import { SILENT, times } from "./support.js";

/** Pipelines of a history; every other trigger is of the first. */
export const PIPELINES = 100;
const REAL = 1_000;
const WEEK_MS = 7 * 86_400_000;

/** Ids in rows, all of them ULIDs. */
const IDS = ["id", "run_id", "trigger_id", "payload_id"];
const INSTANTS = /^(?:.*_at|at|order|scheduled_for|lease_until)$/;

export function historyPipelines() {
  return Array.from({ length: PIPELINES }, (_, n) =>
    pipeline({
      id: `p${n}`,
      execution: { maxActiveRuns: 1_000, retries: 0 },
      run: ({ parameters }) => {
        if (Number(parameters.n) % 50 === 49) throw new Error("the source is away");
      },
    }),
  );
}

/**
 * Fills an empty store with so many ended triggers of the last week, with their decisions and runs: a thousand that really ran, and copies of their rows with other ids and earlier instants. Copies sort before
 * whatever comes later.
 */
export async function fillHistory(place: Place, count: number): Promise<void> {
  if (count === 0) return;
  const executor = functionExecutor({ concurrency: REAL });
  const scheduler = createScheduler({ pipelines: historyPipelines(), store: place.open(), logger: SILENT, executor });
  await scheduler.start();
  const real = Math.min(REAL, count);
  const ended = new Promise<void>((resolve) => {
    let left = real;
    const one = () => void (--left === 0 && resolve());
    scheduler.on("trigger.succeeded", one);
    scheduler.on("trigger.failed", one);
  });
  await times(real, 100, (n) => scheduler.trigger(`p${n % 2 === 0 ? 0 : n % PIPELINES}`, { parameters: { n } }));
  await ended;
  await scheduler.stop();
  const hand = await place.hand();
  const copies = Math.ceil(count / real) - 1;
  if (copies > 0) for (const table of ["triggers", "runs", "decisions"]) await copyRows(hand, table, copies);
  if (hand.dialect === "postgres") await hand.query("VACUUM ANALYZE"); // else the server does it while something is measured
  await hand.close();
}

/** Copies what a scheduler has written to a table, so many times, within the week before. */
export async function copyRows(hand: Hand, table: string, copies: number): Promise<void> {
  const [row] = await hand.query(`SELECT * FROM ${hand.name(table)} LIMIT 1`);
  const columns = Object.keys(row ?? {});
  const stepMs = Math.floor(WEEK_MS / copies);
  const values = columns.map((column) => {
    if (IDS.includes(column)) return `'00' || ${padded(hand, "n")} || substr("${column}", 9)`;
    if (INSTANTS.test(column)) return `"${column}" - (${copies} - n) * ${stepMs}`;
    return `"${column}"`;
  });
  const names = columns.map((column) => `"${column}"`).join(", ");
  await hand.query(
    `INSERT INTO ${hand.name(table)} (${names}) SELECT ${values.join(", ")} FROM ${numbers(hand, copies)}, ${hand.name(table)} AS kept WHERE kept.id >= '01'`,
  );
}

/** The numbers from 0 (inclusive) to a count (exclusive), as the column `n`. */
function numbers({ dialect }: Hand, count: number): string {
  if (dialect === "postgres") return `generate_series(0::bigint, ${count - 1}) AS numbers(n)`;
  return `(WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted LIMIT ${count}) SELECT n FROM counted) AS numbers`;
}

/** Six digits. */
function padded({ dialect }: Hand, number: string): string {
  return dialect === "postgres" ? `lpad((${number})::text, 6, '0')` : `printf('%06d', ${number})`;
}
