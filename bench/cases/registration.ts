/** Many pipelines: how long they take to register, how much heap each holds, what an idle scheduler costs. */
import { setTimeout as wait } from "node:timers/promises";
import { Cron } from "croner";
import { createScheduler, cron, pipeline } from "headgate";
import { heapUsed, row } from "../support.js";

const COUNT = 100_000;
const PEERS = 10_000; // a hundred thousand of them do not fit into the default heap
const run = () => {};
const expression = (n: number) => `${n % 60} ${n % 24} * * *`;

console.log(`${COUNT.toLocaleString("en")} pipelines with cron schedules in a zone with daylight saving`);
const before = heapUsed();
const begin = performance.now();
const pipelines = Array.from({ length: COUNT }, (_, n) =>
  pipeline({ id: `pipeline-${n}`, schedule: cron(expression(n), { timeZone: "Europe/Berlin" }), run }),
);
const scheduler = createScheduler({ pipelines });
await scheduler.start();
row("defined, registered and planned", `${Math.round(performance.now() - begin)} ms`, "target under 1,000 ms");
row("heap each", `${Math.round((heapUsed() - before) / COUNT)} B`, "target at most 1,500 B");
const cpu = process.cpuUsage();
await wait(5_000);
const { user, system } = process.cpuUsage(cpu);
row("idle CPU", `${((user + system) / 5e4).toFixed(3)} %`);
await scheduler.stop();

const peerBefore = heapUsed();
const peerBegin = performance.now();
const peers = Array.from({ length: PEERS }, (_, n) => new Cron(expression(n), { timezone: "Europe/Berlin" }, run));
row(
  `croner, ${PEERS.toLocaleString("en")}`,
  `${Math.round(performance.now() - peerBegin)} ms`,
  `${Math.round((heapUsed() - peerBefore) / PEERS).toLocaleString("en")} B each`,
);
for (const peer of peers) peer.stop();
