/**
 * Three processes on one database, one command: `npm run example:several-nodes [-- <store url>]`. After a while the one that works is killed; watch the others take
 * its run over. Without an address it uses DATABASE_URL, or a SQLite file of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { storeFromUrl } from "../../src/entry/store-from-url.js";

const NODE = fileURLToPath(new URL("node.ts", import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "headgate-nodes-"));
const url = process.argv[2] ?? process.env.DATABASE_URL ?? `sqlite:${join(folder, "headgate.db")}`;

function start(name: string): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", NODE, url, name], { stdio: "inherit" });
}

const nodes = new Map(["anna", "bert", "cleo"].map((name) => [name, start(name)]));
const store = storeFromUrl(url);
await store.open();

await wait(4_000);
let busy: string | undefined;
while (busy === undefined) {
  const [run] = await store.listRuns({ statuses: ["running"], pipelineId: "load", limit: 1 });
  busy = run !== undefined && nodes.has(run.node) ? run.node : undefined;
}
console.log(`--- kill -9 ${busy}, in the middle of its work`);
nodes.get(busy)?.kill("SIGKILL");
nodes.delete(busy);
await wait(6_000);

console.log("--- the others stop");
await Promise.all(
  [...nodes.values()].map((node) => {
    const gone = once(node, "exit");
    node.kill("SIGTERM");
    return gone;
  }),
);
const runs = (await store.listRuns({ pipelineId: "load", limit: 1_000 })).toReversed();
for (const { scheduledFor, status, node, attempts } of runs) {
  const lost = attempts.filter(({ outcome }) => outcome === "lost").map((attempt) => attempt.node);
  const took = lost.length === 0 ? "" : ` (taken over from ${lost.join(", ")})`;
  console.log(`load for ${new Date(scheduledFor ?? 0).toISOString().slice(11, 19)}: ${status} on ${node}${took}`);
}
await store.close();
await rm(folder, { recursive: true });
