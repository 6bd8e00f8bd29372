/** Runs one case in this process, and sends its results to the one that started it. */
import type { BenchOptions, MakeCase } from "./model.js";
import { takeTurns } from "./turns.js";

const name = process.argv[2] ?? "";
const options = JSON.parse(process.env.HEADGATE_BENCH ?? "{}") as BenchOptions;
const { default: makeCase } = (await import(`./cases/${name}.ts`)) as { default: MakeCase };
const made = makeCase(options);
const results = await takeTurns(name, made, ({ group, name: who }, round) =>
  console.error(`  ${name}, round ${round + 1} of ${(made.warmUps ?? 0) + made.rounds}: ${[group, who].filter(Boolean).join(", ")}`),
);
process.send?.({ title: made.title, results }, () => process.exit(0));
