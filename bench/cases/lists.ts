/** Pages of lists over HTTP, from a store that has as many records as a page and from a full one; every answer must be a 2xx. */
import { createScheduler } from "headgate";
import { nodeTriggerApi } from "headgate/http";
import { fillHistory, historyPipelines } from "../history.js";
import { listen, load, openApi } from "../http-load.js";
import type { MakeCase, Participant } from "../model.js";
import { databaseKinds, type StoreKind } from "../stores.js";
import { SILENT } from "../support.js";

const FEW = 1_000;
const CONNECTIONS = 10;
/** Half of the history is of `p0`, a two-hundredth of `p5`. */
const ROUTES = [
  "/api/v1/triggers/pending",
  "/api/v1/pipelines/p0/triggers",
  "/api/v1/pipelines/p0/runs",
  "/api/v1/pipelines/p5/runs?status=timed_out",
  "/api/v1/pipelines/p0/decisions?outcome=skip",
];
const nameOf = (route: string) => route.replace("/api/v1/", "");

function participant({ name, make }: StoreKind, history: number, isShort: boolean): Participant {
  return {
    name: `${history.toLocaleString("en")} ended triggers`,
    group: name,
    isReference: history === FEW,
    turn: async () => {
      const place = make();
      await fillHistory(place, history);
      const scheduler = createScheduler({ pipelines: historyPipelines(), store: place.open(), logger: SILENT });
      await scheduler.start();
      const served = await listen(nodeTriggerApi(openApi(scheduler)));
      const figures: Record<string, number> = {};
      for (const route of ROUTES) {
        await load(served, { path: route, seconds: 1, connections: CONNECTIONS });
        const { rate, p99 } = await load(served, { path: route, seconds: isShort ? 1 : 4, connections: CONNECTIONS });
        figures[nameOf(route)] = rate;
        figures[`${nameOf(route)}, p99`] = p99;
      }
      await served.close();
      await scheduler.stop();
      await place.remove();
      return figures;
    },
  };
}

const makeCase: MakeCase = (options) => ({
  title: `Lists over HTTP, ${CONNECTIONS} connections`,
  measures: ROUTES.flatMap((route) => [
    { name: nameOf(route), unit: "per s", better: "higher" as const },
    { name: `${nameOf(route)}, p99`, unit: "ms", better: "lower" as const },
  ]),
  participants: databaseKinds(options).flatMap((kind) => [FEW, options.history].map((count) => participant(kind, count, options.isShort))),
  rounds: 1,
});
export default makeCase;
