import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { checkInvariants } from "./invariants.js";
import { processes } from "./processes.js";

const FIXTURE = fileURLToPath(new URL("node.fixture.ts", import.meta.url));
const STEP_MS = 100;
const ROUNDS = Number(process.env.HEADGATE_CRASH_ROUNDS ?? 8);
const { folder, track } = processes("crash");
const postgres = await testDatabaseUrl();

afterAll(dropSchemas);

/** Starts a node and resolves when it is ready; what it prints is collected. */
async function startNode(url: string, name: string, aheadMs = 0) {
  const child = spawn(process.execPath, ["--import", "tsx", FIXTURE, url, name, String(aheadMs)], { stdio: ["ignore", "pipe", "pipe"] });
  track(child);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = once(child, "close");
  while (!text.includes("ready")) {
    await Promise.race([once(child.stdout, "data"), ended]);
    if (child.exitCode !== null) throw new Error(`node ${name} ended: ${text}`);
  }
  return { child, name };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

/** Lets one node run until nothing waits, so that what is unfinished is not mistaken for what is lost. */
async function settle(url: string) {
  const store = storeFromUrl(url);
  await store.open();
  const { child } = await startNode(url, "last");
  const enough = async () => {
    const old = Date.now() - 5_000;
    const open = await store.listTriggers({ statuses: ["pending", "held", "running"], limit: 1_000 });
    return open.every(({ createdAt }) => createdAt > old);
  };
  await wait(3_000);
  while (!(await enough())) await wait(100);
  await end(child, "SIGTERM");
  const found = await checkInvariants(store, STEP_MS);
  await store.close();
  return found;
}

/** Kills the node that is carrying out a run that has only just begun. */
async function killInTheAct(url: string, nodes: readonly Awaited<ReturnType<typeof startNode>>[]): Promise<void> {
  const store = storeFromUrl(url);
  await store.open();
  for (;;) {
    const [run] = await store.listRuns({ statuses: ["running"], pipelineId: "tick", limit: 1 });
    const victim = nodes.find(({ name }) => name === run?.node);
    if (run === undefined || victim === undefined || Date.now() - run.attemptStartedAt > 50) continue;
    await end(victim.child, "SIGKILL");
    await store.close();
    return;
  }
}

const random = (from: number, to: number) => from + Math.random() * (to - from);

describe.each([
  ["SQLite", () => `sqlite:${join(folder, `${Date.now()}.db`)}`, 2],
  ...(postgres === null ? [] : [["PostgreSQL", () => `${postgres}?schema=${freshSchema()}`, 3] as const]),
] as const)("on %s, however nodes die", (_, makeUrl, count) => {
  it(`kill -9 at ${ROUNDS} random moments: no fire time is lost or doubled, no run succeeds twice`, async () => {
    const url = makeUrl();
    const names = Array.from({ length: count }, (_, n) => `node-${n}`);
    const nodes = await Promise.all(names.map((name) => startNode(url, name)));
    for (let round = 0; round < ROUNDS; round++) {
      await wait(random(50, 900));
      const victim = Math.floor(Math.random() * nodes.length);
      await end(nodes[victim]?.child as ChildProcess, "SIGKILL");
      nodes[victim] = await startNode(url, `node-${victim}-${round}`);
    }
    await killInTheAct(url, nodes);
    await Promise.all(nodes.map(({ child }) => end(child, "SIGKILL")));
    const found = await settle(url);
    expect(found.fireTimes).toBeGreaterThan(20);
    expect(found.succeeded).toBeGreaterThan(20);
    expect(found.lost).toBeGreaterThan(0);
  });

  it("stopped past its lease and continued: its runs are taken over, its late results refused", async () => {
    const url = makeUrl();
    const [first, second] = await Promise.all([startNode(url, "hangs"), startNode(url, "lives")]);
    for (let round = 0; round < 3; round++) {
      await wait(random(200, 500));
      first.child.kill("SIGSTOP");
      await wait(2_500);
      first.child.kill("SIGCONT");
    }
    await wait(500);
    await Promise.all([end(first.child, "SIGTERM"), end(second.child, "SIGTERM")]);
    const found = await settle(url);
    expect(found.fireTimes).toBeGreaterThan(40);
  });

  it("a clock 30 s ahead on one node doubles and loses nothing", async () => {
    const url = makeUrl();
    const nodes = await Promise.all([startNode(url, "right"), startNode(url, "ahead", 30_000)]);
    await wait(2_000);
    await Promise.all(nodes.map(({ child }) => end(child, "SIGTERM")));
    const found = await settle(url);
    expect(found.fireTimes).toBeGreaterThan(15);
  });
});
