/**
 * Measures headgate beside its peers, each case in a process of its own. `npm run bench -- lag simulate` runs only those.
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

const CASES = ["import", "next-fire", "registration", "lag", "simulate", "postgres", "sqlite", "http", "outside", "monitor", "executors"];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !CASES.includes(name));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(", ")}; there are: ${CASES.join(", ")}`);

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}\n`);
for (const name of wanted.length > 0 ? wanted : CASES) {
  const file = fileURLToPath(new URL(`cases/${name}.ts`, import.meta.url));
  const { status } = spawnSync(process.execPath, ["--expose-gc", "--import", "tsx", file], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
  console.log();
}
