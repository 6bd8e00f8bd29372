/** A year of a hundred hourly pipelines. */
import { cron, pipeline } from "headgate";
import { simulate } from "headgate/testing";
import { row } from "../support.js";

const pipelines = Array.from({ length: 100 }, (_, n) =>
  pipeline({ id: `hourly-${n}`, schedule: cron(`${n % 60} * * * *`), run: () => {} }),
);
const begin = performance.now();
const { counts } = await simulate({ pipelines, from: "2026-01-01", to: "2027-01-01", world: { run: () => ({ duration: "10m" }) } });
console.log(`simulate one year of ${pipelines.length} hourly pipelines`);
row(
  `${counts.runs.toLocaleString("en")} fires, decisions and runs`,
  `${((performance.now() - begin) / 1_000).toFixed(1)} s`,
  "target under 30 s",
);
row("most memory of the process", `${Math.round(process.resourceUsage().maxRSS / 1_024)} MB`, "target under 600 MB");
