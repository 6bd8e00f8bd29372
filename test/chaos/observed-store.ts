import type { RunRecord, Store } from "../../src/index.js";
import type { LogWriter } from "./log.js";
import { LEASE_MS } from "./pipelines.js";

type Call<Name extends keyof Store> = Store[Name] extends (...args: infer A) => Promise<unknown> ? A : never;

/** A store that writes down what the store behind it has confirmed: leases, ends of attempts, fire times. */
export function observedStore(store: Store, log: LogWriter): Store {
  const lease = ({ id, token }: RunRecord, calledAt: number) => log.write({ line: "lease", run: id, token, until: calledAt + LEASE_MS });
  const observed: Partial<Store> = {
    claim: async (...call: Call<"claim">) => {
      const calledAt = Date.now();
      const claim = await store.claim(...call);
      for (const { run } of claim.attempts) lease(run, calledAt);
      for (const { result } of claim.decided) if (result.isAccepted && result.run !== null) lease(result.run, calledAt);
      return claim;
    },
    decide: async (...call: Call<"decide">) => {
      const calledAt = Date.now();
      const results = await store.decide(...call);
      for (const { isAccepted, run } of results) if (isAccepted && run !== null) lease(run, calledAt);
      return results;
    },
    heartbeat: async (...call: Call<"heartbeat">) => {
      const calledAt = Date.now();
      const runs = await store.heartbeat(...call);
      for (const run of runs) if (run !== null) lease(run, calledAt);
      return runs;
    },
    finish: async (...call: Call<"finish">) => {
      const results = await store.finish(...call);
      for (const [index, { runId, token, end, onlyIfExpired, isRepeated = false }] of call[0].entries()) {
        const isAccepted = results[index]?.isAccepted === true;
        log.write({ line: "finish", run: runId, token, outcome: end.outcome, isLoss: onlyIfExpired, isAccepted, isRepeated });
      }
      return results;
    },
    fire: async (...call: Call<"fire">) => {
      const results = await store.fire(...call);
      for (const [index, { outcome, triggers }] of results.entries()) {
        if (outcome !== "fired") continue;
        const request = call[0][index];
        const dropped = (request?.dropped ?? []).flatMap(({ scheduledFor, missed }) => missed?.lastAt ?? scheduledFor ?? []);
        const fires = [...triggers.flatMap(({ scheduledFor }) => scheduledFor ?? []), ...dropped];
        if (fires.length > 0) log.write({ line: "fired", pipeline: request?.pipelineId ?? "", fires });
      }
      return results;
    },
  };
  return new Proxy(store, {
    get: (target, name) => {
      const own = observed[name as keyof Store];
      if (own !== undefined) return own;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
