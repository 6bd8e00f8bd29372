import { Logger, makeWorkerUtils, type Runner, run } from "graphile-worker";
import pg from "pg";
import { CONNECTIONS, IN_HAND, type PeerKind } from "../peer.js";

/** The configuration of its own performance page: https://worker.graphile.org/docs/performance */
export const graphileWorker: PeerKind = {
  name: "graphile-worker",
  schema: "graphile_worker",
  remark: `local queue of ${IN_HAND}, completions in batches; finished jobs are deleted`,
  open: async (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    pool.on("error", () => {});
    pool.on("connect", (client) => void client.on("error", () => {}));
    const logger = new Logger(() => () => {});
    const utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
    let runner: Runner | null = null;
    return {
      add: (at) => utils.addJob("job", { at }),
      addBulk: (count) => utils.addJobs(Array.from({ length: count }, () => ({ identifier: "job", payload: {} }))),
      work: async (onRun) => {
        runner = await run({
          pgPool: pool,
          concurrency: 24,
          noHandleSignals: true,
          logger,
          preset: { worker: { localQueue: { size: IN_HAND }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
          taskList: { job: (payload) => onRun((payload as { at?: number }).at) },
        });
      },
      close: async () => {
        await runner?.stop();
        await utils.release();
        await pool.end();
      },
    };
  },
};
