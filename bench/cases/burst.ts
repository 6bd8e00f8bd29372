/** 10,000 pipelines due at one instant: how long until the last of them has started. */
import { Cron } from "croner";
import { at, createScheduler, functionExecutor, pipeline } from "headgate";
import type { MakeCase, Participant, Target } from "../model.js";
import { IN_HAND } from "../peers/peer.js";
import { type StoreKind, storeKinds } from "../stores.js";
import { percentile, SILENT, until } from "../support.js";

/** From making them to the instant when they are due. */
const LEAD_MS = 10_000;
const TARGET_MS = { memory: 1_000, SQLite: 2_000, PostgreSQL: 2_000 };

async function figuresOf(count: number, begin: (due: Date, note: () => void) => Promise<() => unknown>) {
  const due = new Date(Date.now() + LEAD_MS);
  const lags: number[] = [];
  const end = await begin(due, () => void lags.push(Date.now() - due.getTime()));
  if (Date.now() > due.getTime()) throw new Error(`${count} pipelines were not ready when they were due`);
  await until(() => lags.length >= count, `${count} that were due have started`, 120);
  await end();
  return { "the last": Math.max(...lags), p50: percentile(lags, 0.5) };
}

function participant({ name, make }: StoreKind, count: number): Participant {
  const target: Target = { value: TARGET_MS[name] };
  return {
    name: "headgate",
    group: name,
    targets: { "the last": target },
    turn: async () => {
      const place = make();
      const figures = await figuresOf(count, async (due, note) => {
        const pipelines = Array.from({ length: count }, (_, n) => pipeline({ id: `p${n}`, schedule: at(due), run: note }));
        const executor = functionExecutor({ concurrency: IN_HAND });
        const scheduler = createScheduler({ pipelines, store: place.open(), executor, logger: SILENT });
        await scheduler.start();
        return () => scheduler.stop();
      });
      await place.remove();
      return figures;
    },
  };
}

function croner(count: number): Participant {
  return {
    name: "croner",
    group: "memory",
    isReference: true,
    remark: "nothing recorded",
    turn: () =>
      figuresOf(count, async (due, note) => {
        const jobs = Array.from({ length: count }, () => new Cron(due, note));
        return () => jobs.forEach((job) => void job.stop());
      }),
  };
}

const makeCase: MakeCase = (options) => {
  const count = options.isShort ? 100 : 10_000;
  return {
    title: `${count.toLocaleString("en")} pipelines due at one instant, from then to the function`,
    measures: [
      { name: "the last", unit: "ms", better: "lower" },
      { name: "p50", unit: "ms", better: "lower" },
    ],
    participants: [...storeKinds(options).map((kind) => participant(kind, count)), croner(count)],
    rounds: options.isShort ? 1 : 3,
    warmUps: options.isShort ? 0 : 1,
  };
};
export default makeCase;
