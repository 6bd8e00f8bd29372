import { PgBoss } from "pg-boss";
import { type Peer, URL } from "./peer.js";

export async function pgBoss(): Promise<Peer> {
  const boss = new PgBoss({ connectionString: URL, max: 20, useListenNotify: true });
  boss.on("error", () => {});
  await boss.start();
  await boss.createQueue("job", { notify: true });
  return {
    name: "pg-boss",
    schema: "pgboss",
    remark: "batches of 100, at once while full; LISTEN/NOTIFY on",
    add: (at) => boss.send("job", { at }),
    addBulk: (count) =>
      boss.insert(
        "job",
        Array.from({ length: count }, () => ({})),
      ),
    work: (onRun) =>
      boss.work<{ at?: number }>("job", { batchSize: 100, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }, async (jobs) => {
        for (const { data } of jobs) onRun(data?.at);
      }),
    close: () => boss.stop({ graceful: false }),
  };
}
