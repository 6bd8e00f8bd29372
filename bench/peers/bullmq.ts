import { createPostgresBackend, withBackend } from "bullmq";
import { type Peer, URL } from "./peer.js";

export async function bullmq(): Promise<Peer> {
  const { Queue, Worker } = withBackend(createPostgresBackend);
  const connection = { connectionString: URL, max: 20, schema: "bullmq_bench", migrate: true };
  const queue = new Queue<{ at?: number }>("job", { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  let worker: { close(force?: boolean): Promise<void> } | null = null;
  return {
    name: "BullMQ on PostgreSQL",
    schema: "bullmq_bench",
    remark: "done jobs are deleted",
    add: (at) => queue.add("job", at === undefined ? {} : { at }),
    addBulk: (count) => queue.addBulk(Array.from({ length: count }, () => ({ name: "job", data: {} }))),
    work: async (onRun) => {
      worker = new Worker<{ at?: number }>("job", async ({ data }) => onRun(data.at), { connection, concurrency: 100 });
    },
    close: async () => {
      await worker?.close(true);
      await queue.close();
    },
  };
}
