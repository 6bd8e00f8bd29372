/** Cold imports, each in a new process, from before the import to its end. */
import { spawnSync } from "node:child_process";
import type { MakeCase } from "../model.js";

const PEERS = ["cron-parser", "node-cron", "bullmq", "pg-boss", "graphile-worker"];

function coldImportMs(name: string): number {
  const code = `const from = performance.now(); await import(${JSON.stringify(name)}); console.log(performance.now() - from)`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return Number(stdout);
}

const makeCase: MakeCase = ({ isShort }) => ({
  title: "Cold import",
  measures: [{ name: "import", unit: "ms", better: "lower" }],
  participants: ["headgate", ...PEERS].map((name) => ({
    name,
    isReference: name !== "headgate",
    targets: { import: { value: 60 } },
    turn: async () => ({ import: coldImportMs(name) }),
  })),
  rounds: isShort ? 1 : 11,
});
export default makeCase;
