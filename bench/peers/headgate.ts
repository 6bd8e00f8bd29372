import { createScheduler, functionExecutor, pipeline } from "headgate";
import { postgresStore } from "headgate/postgres";
import { type Peer, URL } from "./peer.js";

/** One scheduler, paused while it only accepts. */
export async function headgate(): Promise<Peer> {
  let onRun: (at: number | undefined) => void = () => {};
  const job = pipeline({
    id: "job",
    execution: { maxActiveRuns: 100_000 },
    run: ({ trigger }) => onRun(trigger.reason === null ? undefined : Number(trigger.reason)),
  });
  const schema = "headgate_bench";
  const open = (node: string) =>
    createScheduler({
      pipelines: [job],
      store: postgresStore({ connectionString: URL, schema }),
      logger: { log: () => {} },
      node,
      executor: functionExecutor({ concurrency: 1_000 }),
    });
  const front = open("front");
  await front.start();
  await front.pause();
  return {
    name: "headgate",
    schema,
    remark: "each with a decision and a run recorded",
    add: (at) => front.trigger("job", at === undefined ? {} : { reason: String(at) }),
    addBulk: (count) => Promise.all(Array.from({ length: count }, () => front.trigger("job"))),
    work: async (tell) => {
      onRun = tell;
      await front.resume();
    },
    close: () => front.stop(),
  };
}
