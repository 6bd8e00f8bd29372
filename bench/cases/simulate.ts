/** A year of a hundred hourly pipelines. */
import { cron, pipeline } from "headgate";
import { simulate } from "headgate/testing";
import type { MakeCase } from "../model.js";
import { timed } from "../support.js";

const makeCase: MakeCase = ({ isShort }) => ({
  title: isShort ? "Simulate a week of 100 hourly pipelines" : "Simulate a year of 100 hourly pipelines",
  measures: [
    { name: "simulate", unit: "s", better: "lower" },
    { name: "most memory", unit: "MB", better: "lower" },
  ],
  participants: [
    {
      name: "headgate",
      targets: { simulate: { value: 30 }, "most memory": { value: 600 } },
      turn: async () => {
        const pipelines = Array.from({ length: 100 }, (_, n) =>
          pipeline({ id: `hourly-${n}`, schedule: cron(`${n % 60} * * * *`), run: () => {} }),
        );
        const to = isShort ? "2026-01-08" : "2027-01-01";
        const ms = await timed(() => simulate({ pipelines, from: "2026-01-01", to, world: { run: () => ({ duration: "10m" }) } }));
        return { simulate: ms / 1_000, "most memory": process.resourceUsage().maxRSS / 1_024 };
      },
    },
  ],
  rounds: 1,
});
export default makeCase;
