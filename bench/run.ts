/**
 * Measures headgate beside its peers, and beside itself where it has more to do; each case in a process of its own.
 *
 * `npm run bench -- drain history --history 100000` runs only those; `--short` tries that they work; `--json` and `--markdown` print the results as such.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeMachine, disturbance, measureLoad } from "./machine.js";
import type { BenchOptions, Result } from "./model.js";
import { startServer } from "./server.js";
import { asMarkdown, asText, caseRows, HEADINGS, type Outcome, ratioRows } from "./table.js";

const CASES = readdirSync(new URL("cases/", import.meta.url)).map((file) => file.replace(".ts", ""));
const ONE_CASE = fileURLToPath(new URL("one-case.ts", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: "boolean", default: false },
    history: { type: "string" },
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((name) => !CASES.includes(name));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(", ")}; there are: ${CASES.join(", ")}`);

let child: ChildProcess | null = null;

async function runCase(name: string, options: BenchOptions): Promise<Outcome | null> {
  const before = await measureLoad();
  child = spawn(process.execPath, ["--expose-gc", "--import", "tsx", ONE_CASE, name], {
    stdio: ["ignore", process.stderr, process.stderr, "ipc"],
    env: { ...process.env, HEADGATE_BENCH: JSON.stringify(options) },
  });
  let answer: { readonly title: string; readonly results: readonly Result[] } | null = null;
  child.on("message", (message) => {
    answer = message as NonNullable<typeof answer>;
  });
  await once(child, "exit");
  if (answer === null) return null;
  const after = await measureLoad();
  const { title, results } = answer as { title: string; results: readonly Result[] };
  return { name, title, results, before, after, disturbance: disturbance(before, after) };
}

const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
const server = await startServer();
const options: BenchOptions = {
  isShort: values.short,
  history: Number(values.history ?? (values.short ? 2_000 : 1_000_000)),
  postgres: server.url,
  redis: process.env.REDIS_URL ?? "redis://127.0.0.1:6379",
  folder,
};
const cleanUp = () => {
  child?.kill();
  server.stop();
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    cleanUp();
    process.exit(1);
  });
const machine = `${describeMachine(folder)}; ${server.description}`;
const outcomes: Outcome[] = [];
try {
  console.error(machine);
  for (const name of positionals.length > 0 ? positionals : CASES) {
    const outcome = await runCase(name, options);
    if (outcome === null) process.exitCode = 1;
    else outcomes.push(outcome);
    const others =
      outcome === null ? "" : `; others used ${outcome.before.others.toFixed(1)}, then ${outcome.after.others.toFixed(1)} processors`;
    console.error(`\n${name}: ${outcome === null ? "failed" : `${outcome.title}${others}\n${asText(caseRows(outcome))}`}`);
  }
} finally {
  cleanUp();
}
const busy = outcomes
  .filter((one) => one.disturbance !== null)
  .map((one) => `no verdict on ${one.name}: the machine is busy (${one.disturbance})`);
const notes = [...(values.short ? ["--short: small numbers, which mean nothing"] : []), ...busy];
if (values.json)
  console.log(JSON.stringify({ machine, options: { ...options, folder: undefined, postgres: undefined }, outcomes }, null, 2));
else if (values.markdown) console.log([machine, asMarkdown(HEADINGS, ratioRows(outcomes)), ...notes].join("\n\n"));
else console.log(["", machine, asText([HEADINGS, ...ratioRows(outcomes)]), ...notes].join("\n"));
