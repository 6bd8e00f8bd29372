/** The memory of a node that starts while triggers with 1 MB of parameters each wait, and runs them: it must not depend on how many there are. */
import { createScheduler, pipeline } from "headgate";
import { copyRows } from "../history.js";
import type { MakeCase, Participant } from "../model.js";
import { NodeProcess } from "../node-process.js";
import { databaseKinds, type StoreKind } from "../stores.js";
import { SILENT, until } from "../support.js";

const BYTES = 1_000_000 - 100;
const FEW = 10;

function participant({ name, make }: StoreKind, waiting: number): Participant {
  return {
    name: `${waiting.toLocaleString("en")} triggers of 1 MB`,
    group: name,
    isReference: waiting === FEW,
    targets: { "most memory": { value: 300 } },
    turn: async () => {
      const place = make();
      const job = pipeline({ id: "job", execution: { maxActiveRuns: 100_000 }, run: () => {} });
      const front = createScheduler({ pipelines: [job], store: place.open(), logger: SILENT });
      await front.start();
      await front.pause();
      await front.trigger("job", { parameters: { text: "x".repeat(BYTES) } });
      await front.stop();
      const hand = await place.hand();
      for (const table of ["triggers", "payloads"]) await copyRows(hand, table, waiting - 1);
      await hand.close();
      const node = new NodeProcess(place.url);
      await node.ready();
      node.resume();
      await until(() => node.ran >= waiting, `${waiting} triggers of 1 MB have run`, 900);
      const { mostMemory } = await node.stop();
      await place.remove();
      return { "most memory": mostMemory / 1e6 };
    },
  };
}

/** A file of 10 GB would take longer than it tells: SQLite does not compress, PostgreSQL does. */
function mostOf({ name }: StoreKind, isShort: boolean): number {
  if (isShort) return 20;
  return name === "SQLite" ? 2_000 : 10_000;
}

const makeCase: MakeCase = (options) => ({
  title: "A node that starts into large triggers",
  measures: [{ name: "most memory", unit: "MB", better: "lower" }],
  participants: databaseKinds(options).flatMap((kind) => [FEW, mostOf(kind, options.isShort)].map((count) => participant(kind, count))),
  rounds: 1,
});
export default makeCase;
