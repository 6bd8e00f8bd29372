/** What a claim costs that finds one trigger behind many that cannot run yet: the same behind 200 and behind 200,000. */
import { condition, createScheduler, manual, type Pipeline, pipeline, type Scheduler } from "headgate";
import { accept, timingClaims } from "../jobs.js";
import type { MakeCase, Participant } from "../model.js";
import { type StoreKind, storeKinds } from "../stores.js";
import { median, SILENT, until } from "../support.js";

const FEW = 200;
const WARM_UPS = 30;

interface Shape {
  readonly name: string;
  readonly pipelines: readonly Pipeline[];
  /** Makes them wait. */
  prepare(scheduler: Scheduler, count: number): Promise<void>;
}

const closed = condition("closed", () => false, { needs: "time" });

const SHAPES: readonly Shape[] = [
  {
    name: "behind a pipeline whose slots are in use",
    pipelines: [
      pipeline({
        id: "full",
        schedule: manual(),
        run: ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
      }),
    ],
    prepare: (scheduler, count) => accept(scheduler, count, () => "full"),
  },
  {
    name: "behind 1,000 paused pipelines",
    pipelines: Array.from({ length: 1_000 }, (_, n) => pipeline({ id: `paused${n}`, schedule: manual(), run: () => {} })),
    prepare: async (scheduler, count) => {
      for (let n = 0; n < 1_000; n++) await scheduler.pause(`paused${n}`);
      await accept(scheduler, count, (n) => `paused${n % 1_000}`);
    },
  },
  {
    name: "behind held triggers",
    pipelines: [pipeline({ id: "held", conditions: [closed], onBlock: "hold", holdFor: "30d", recheckInterval: "10d", run: () => {} })],
    prepare: async (scheduler, count) => {
      let held = 0;
      const end = scheduler.on("trigger.held", () => void held++);
      await accept(scheduler, count, () => "held");
      await until(() => held >= count, `${count} triggers are held`);
      end();
    },
  },
];

function participant({ name, make }: StoreKind, shape: Shape, waiting: number, found: number): Participant {
  return {
    name: `${waiting.toLocaleString("en")} ${shape.name}`,
    group: `${name}, ${shape.name}`,
    isReference: waiting === FEW,
    targets: { "a claim, p50": { ratio: 0.8 } },
    turn: async () => {
      const place = make();
      const { store, claims } = timingClaims(place.open());
      let ran = 0;
      const free = pipeline({ id: "free", run: () => void ran++ });
      const scheduler = createScheduler({ pipelines: [free, ...shape.pipelines], store, logger: SILENT });
      await scheduler.start();
      await shape.prepare(scheduler, waiting);
      for (let n = 1; n <= WARM_UPS + found; n++) {
        if (n === WARM_UPS + 1) claims.length = 0;
        await scheduler.trigger("free");
        await until(() => ran >= n, "the free pipeline has run");
      }
      await scheduler.stop({ drain: 0 });
      await place.remove();
      return { "a claim, p50": median(claims) };
    },
  };
}

const makeCase: MakeCase = (options) => {
  const [many, found] = options.isShort ? [2_000, 10] : [200_000, 200];
  return {
    title: "A claim that finds one trigger behind a backlog",
    measures: [{ name: "a claim, p50", unit: "ms", better: "lower" }],
    participants: storeKinds(options).flatMap((kind) =>
      SHAPES.flatMap((shape) => [FEW, many].map((waiting) => participant(kind, shape, waiting, found))),
    ),
    rounds: 1,
  };
};
export default makeCase;
