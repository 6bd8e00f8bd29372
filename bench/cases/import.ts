/** Cold imports, each in a new process: the median of eleven, from before the import to its end. */
import { spawnSync } from "node:child_process";
import { median, row } from "../support.js";

const ROUNDS = 11;

function coldImportMs(name: string): number {
  const code = `const from = performance.now(); await import(${JSON.stringify(name)}); console.log(performance.now() - from)`;
  const times = Array.from({ length: ROUNDS }, () => {
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" });
    if (stdout === "") throw new Error(stderr);
    return Number(stdout);
  });
  return median(times);
}

console.log("Cold import");
const own = coldImportMs("headgate");
row("headgate", `${own.toFixed(1)} ms`, "target under 60 ms");
for (const peer of ["cron-parser", "node-cron", "bullmq", "pg-boss", "graphile-worker"]) {
  const ms = coldImportMs(peer);
  row(peer, `${ms.toFixed(1)} ms`, `${(ms / own).toFixed(2)} x`);
}
