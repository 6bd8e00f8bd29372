import { createPostgresBackend, withBackend } from "bullmq";
import { CONNECTIONS, type PeerKind } from "./peer.js";

/** The most at which its documentation measures it: it takes jobs one by one, and more at once gain nothing. */
const CONCURRENCY = 32;

/** https://docs.bullmq.io/guide/postgresql */
export const bullmq: PeerKind = {
  name: "BullMQ on PostgreSQL",
  schema: "bullmq_bench",
  remark: `concurrency ${CONCURRENCY}, a connection for each; finished jobs are deleted`,
  open: async (url) => {
    const { Queue, Worker } = withBackend(createPostgresBackend);
    const connection = { connectionString: url, max: Math.max(CONNECTIONS, CONCURRENCY), schema: bullmq.schema, migrate: true };
    const queue = new Queue<{ at?: number }>("job", { connection, defaultJobOptions: { removeOnComplete: true } });
    await queue.waitUntilReady();
    let worker: { close(force?: boolean): Promise<void> } | null = null;
    return {
      add: (at) => queue.add("job", at === undefined ? {} : { at }),
      addBulk: (count) => queue.addBulk(Array.from({ length: count }, () => ({ name: "job", data: {} }))),
      work: async (onRun) => {
        worker = new Worker<{ at?: number }>("job", async ({ data }) => onRun(data.at), { connection, concurrency: CONCURRENCY });
      },
      close: async () => {
        await worker?.close();
        await queue.close();
      },
    };
  },
};
