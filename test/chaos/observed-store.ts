import type { ClaimRequest, DecideRequest, FinishRequest, FireRequest, HeartbeatRequest, Store } from "../../src/index.js";
import type { LogWriter } from "./log.js";

/** A store that writes down what the store behind it has confirmed: leases, ends of attempts, fire times. */
export function observedStore(store: Store, log: LogWriter): Store {
  const lease = (run: string, token: number, calledAt: number, lengthMs: number) =>
    log.write({ line: "lease", run, token, until: calledAt + lengthMs });
  const observed: Partial<Store> = {
    claim: async (request: ClaimRequest, now) => {
      const calledAt = Date.now();
      const claim = await store.claim(request, now);
      for (const { run } of claim.attempts) lease(run.id, run.token, calledAt, run.leaseUntil - now);
      for (const { result } of claim.decided)
        if (result.isAccepted && result.run !== null) lease(result.run.id, result.run.token, calledAt, result.run.leaseUntil - now);
      return claim;
    },
    decide: async (requests: readonly DecideRequest[], now) => {
      const calledAt = Date.now();
      const results = await store.decide(requests, now);
      for (const { isAccepted, run } of results) if (isAccepted && run !== null) lease(run.id, run.token, calledAt, run.leaseUntil - now);
      return results;
    },
    heartbeat: async (requests: readonly HeartbeatRequest[], leaseUntil, now) => {
      const calledAt = Date.now();
      const runs = await store.heartbeat(requests, leaseUntil, now);
      for (const run of runs) if (run !== null) lease(run.id, run.token, calledAt, leaseUntil - now);
      return runs;
    },
    finish: async (requests: readonly FinishRequest[], now) => {
      const results = await store.finish(requests, now);
      for (const [index, { runId, token, end, onlyIfExpired }] of requests.entries()) {
        const isAccepted = results[index]?.isAccepted === true;
        log.write({ line: "finish", run: runId, token, outcome: end.outcome, isLoss: onlyIfExpired, isAccepted });
      }
      return results;
    },
    fire: async (requests: readonly FireRequest[], now) => {
      const results = await store.fire(requests, now);
      for (const [index, { outcome, triggers }] of results.entries()) {
        if (outcome !== "fired") continue;
        const dropped = (requests[index]?.dropped ?? []).flatMap(({ scheduledFor, missed }) => missed?.lastAt ?? scheduledFor ?? []);
        const fires = [...triggers.flatMap(({ scheduledFor }) => scheduledFor ?? []), ...dropped];
        if (fires.length > 0) log.write({ line: "fired", pipeline: requests[index]?.pipelineId ?? "", fires });
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
