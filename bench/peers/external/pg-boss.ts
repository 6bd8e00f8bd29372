import { PgBoss } from "pg-boss";
import { CONNECTIONS, IN_HAND, type PeerKind } from "../peer.js";

const WORKERS = 5;

/** Several workers that fetch batches, at once again while these are full, and are woken by the server. */
export const pgBoss: PeerKind = {
  name: "pg-boss",
  schema: "pgboss",
  remark: `${WORKERS} workers with batches of ${IN_HAND / WORKERS}, LISTEN/NOTIFY on; finished jobs are kept`,
  open: async (url) => {
    const boss = new PgBoss({ connectionString: url, max: CONNECTIONS, useListenNotify: true });
    boss.on("error", () => {});
    await boss.start();
    await boss.createQueue("job", { notify: true });
    const fetching = { batchSize: IN_HAND / WORKERS, localConcurrency: WORKERS, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };
    return {
      add: (at) => boss.send("job", { at }),
      addBulk: (count) =>
        boss.insert(
          "job",
          Array.from({ length: count }, () => ({})),
        ),
      work: (onRun) =>
        boss.work<{ at?: number }>("job", fetching, async (jobs) => {
          for (const { data } of jobs) onRun(data?.at);
        }),
      close: () => boss.stop({ graceful: true, timeout: 10_000 }),
    };
  },
};
