import { createScheduler, functionExecutor, pipeline } from "headgate";
import { postgresStore } from "headgate/postgres";
import { SILENT } from "../support.js";
import { CONNECTIONS, IN_HAND, type PeerKind } from "./peer.js";

/** One scheduler, paused while it only accepts. */
export const headgate: PeerKind = {
  name: "headgate",
  schema: "headgate_bench",
  remark: "trigger, decision and run of each kept; calls at the same time share a commit",
  open: async (url) => {
    let onRun: (at: number | undefined) => void = () => {};
    const job = pipeline({
      id: "job",
      execution: { maxActiveRuns: 100_000 },
      run: ({ trigger }) => onRun(trigger.reason === null ? undefined : Number(trigger.reason)),
    });
    const store = postgresStore({ connectionString: url, schema: headgate.schema, poolConfig: { max: CONNECTIONS } });
    const scheduler = createScheduler({
      pipelines: [job],
      store,
      logger: SILENT,
      executor: functionExecutor({ concurrency: IN_HAND }),
    });
    await scheduler.start();
    await scheduler.pause();
    return {
      add: (at) => scheduler.trigger("job", at === undefined ? {} : { reason: String(at) }),
      addBulk: (count) => Promise.all(Array.from({ length: count }, () => scheduler.trigger("job"))),
      work: async (report) => {
        onRun = report;
        await scheduler.resume();
      },
      close: () => scheduler.stop(),
    };
  },
};
