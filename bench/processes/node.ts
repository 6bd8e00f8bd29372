/**
 * One node in a process of its own: `node.ts <store url>`. It sends "ready", then how many runs have begun, as numbers; takes "resume" and "stop", and answers the latter with its figures.
 */
import { createScheduler, functionExecutor, pipeline } from "headgate";
import { storeFromUrl } from "headgate/stores";
import { timingClaims } from "../jobs.js";
import { median, SILENT } from "../support.js";

const REPORT_MS = 10;
const { store, claims } = timingClaims(storeFromUrl(process.argv[2] ?? ""));
let ran = 0;
const job = pipeline({ id: "job", execution: { maxActiveRuns: 100_000 }, run: () => void ran++ });
const scheduler = createScheduler({ pipelines: [job], store, executor: functionExecutor({ concurrency: 100 }), logger: SILENT });
const send = (message: unknown) => new Promise<void>((resolve) => process.send?.(message, () => resolve()));
const reporting = setInterval(() => void send(ran), REPORT_MS);
process.on("message", async (message) => {
  if (message === "resume") return void (await scheduler.resume());
  clearInterval(reporting);
  await scheduler.stop();
  await send({ claimMs: claims.length === 0 ? null : median(claims), mostMemory: process.resourceUsage().maxRSS * 1_024 });
  process.exit(0);
});
await scheduler.start();
await send("ready");
