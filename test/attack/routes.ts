import type { Role, Scheduler } from "../../src/index.js";

/** The pipeline of the callers that are limited to one. */
export const OWN = "alpha";
/** A pipeline of others. Everything that is planted for it, its name too, starts with {@link MARK}. */
export const FOREIGN = "MARKB-pipeline";
export const MARK = "MARKB";

/** `own`, `foreign`: something of that pipeline. `all`: something that concerns all pipelines. `any`: something that every caller of the role may have, narrowed to what it may see. */
export type Target = "own" | "foreign" | "all" | "any";

export interface Sent {
  readonly path: string;
  readonly body?: unknown;
}

interface Expectation {
  /** The least role, independent of what the route says of itself; `null`: no token is needed. */
  readonly least: Role | null;
  /** The requests that mean a target; none for targets that the route does not have. */
  readonly requests: Readonly<Partial<Record<Target, (world: World) => Promise<readonly Sent[]> | readonly Sent[]>>>;
}

/** Makes what requests need to exist. */
export class World {
  readonly #scheduler: Scheduler;
  /** Runs that have ended, by pipeline. */
  readonly runs = new Map<string, string>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Returns the id of a new trigger that waits. */
  async trigger(pipelineId: string): Promise<string> {
    const notBefore = "2027-01-01T00:00:00Z";
    return (
      await this.#scheduler.trigger(pipelineId, {
        notBefore,
        ...planted(pipelineId),
        parameters: { secret: nameOf(pipelineId, "parameters") },
      })
    ).id;
  }

  run(pipelineId: string): string {
    const id = this.runs.get(pipelineId);
    if (id === undefined) throw new Error(`no run of ${pipelineId}`);
    return id;
  }

  async silence(pipelineId: string | null): Promise<string> {
    const of = pipelineId === null ? { rule: "run_failed" } : { pipelineId };
    return (await this.#scheduler.alerts.silence({ ...of, duration: "1h", ...(pipelineId === null ? {} : planted(pipelineId)) })).id;
  }

  async maintenance(pipelineId: string | null): Promise<string> {
    const window = { from: "2030-01-01T00:00:00Z", until: "2030-01-02T00:00:00Z" };
    if (pipelineId === null) return (await this.#scheduler.settings.addMaintenance(window)).id;
    const description = nameOf(pipelineId, "window");
    return (await this.#scheduler.settings.addMaintenance({ ...window, description }, { pipelineId, user: nameOf(pipelineId, "user") })).id;
  }

  async decision(pipelineId: string): Promise<string> {
    const [found] = (await this.#scheduler.decisions({ pipelineId, limit: 1 })).items;
    if (found === undefined) throw new Error(`no decision of ${pipelineId}`);
    return found.id;
  }

  /** Returns the number of an audit record that concerns a pipeline. */
  async audited(pipelineId: string): Promise<number> {
    const [found] = await this.#scheduler.audit.list({ pipelineIds: [pipelineId], limit: 1 });
    if (found === undefined) throw new Error(`no audit record of ${pipelineId}`);
    return found.seq;
  }

  async token(): Promise<string> {
    return (await this.#scheduler.tokens.issue({ role: "viewer", description: `${MARK}-token`, user: `${MARK}-issuer` })).id;
  }
}

function nameOf(pipelineId: string, what: string): string {
  return `${pipelineId === FOREIGN ? MARK : "own"}-${what}`;
}

/** Returns a reason and a user that are the pipeline's secret. */
export function planted(pipelineId: string): { readonly reason: string; readonly user: string } {
  return { reason: nameOf(pipelineId, "reason"), user: nameOf(pipelineId, "user") };
}

type Forms = (pipelineId: string, world: World) => Promise<readonly Sent[]> | readonly Sent[];

/** A route that names a pipeline, or something of it. */
const ofPipeline = (least: Role, forms: Forms, more: Expectation["requests"] = {}): Expectation => ({
  least,
  requests: { own: (world) => forms(OWN, world), foreign: (world) => forms(FOREIGN, world), ...more },
});
/** A route below `/api/v1/pipelines/{id}`. */
const below = (least: Role, rest: string, body?: unknown): Expectation =>
  ofPipeline(least, (id) => [{ path: `/api/v1/pipelines/${id}${rest}`, ...(body === undefined ? {} : { body }) }]);
/** A route that takes the pipeline in the body, under either of its names. */
const named = (least: Role, path: string, rest: object, more: Expectation["requests"] = {}): Expectation =>
  ofPipeline(
    least,
    (id) => [
      { path, body: { ...rest, pipeline: id } },
      { path, body: { ...rest, dag_id: id } },
    ],
    more,
  );
const any = (least: Role | null, ...paths: readonly string[]): Expectation => ({
  least,
  requests: { any: () => paths.map((path) => ({ path })) },
});
const LONG_AGO = { from: "2026-03-01T00:00:00Z", to: "2026-03-01T01:00:00Z" };
const WINDOW = { from: "2031-01-01T00:00:00Z", until: "2031-01-02T00:00:00Z" };

/** Which caller may do what, by the id of the route; written apart from the routes, so that neither is right by copying the other. */
export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  health: any(null, "/health"),
  ready: any(null, "/ready"),
  info: any("viewer", "/api/v1/info"),
  openapi: any("viewer", "/api/v1/openapi.json"),
  metrics: any("viewer", "/metrics"),
  events: any("viewer", "/api/v1/events"),
  triggerManual: named("operator", "/api/v1/trigger/manual", { not_before: "2027-01-01T00:00:00Z" }),
  triggerImmediate: named("operator", "/api/v1/trigger/immediate", {}),
  triggerWebhook: named("operator", "/api/v1/trigger/webhook", { source: "anybody" }),
  triggerForeignWebhook: ofPipeline("operator", (id) => [{ path: `/api/v1/webhooks/anybody?pipeline=${id}`, body: { any: "thing" } }]),
  getTriggerStatus: ofPipeline("viewer", async (id, world) => [{ path: `/api/v1/trigger/status/${await world.trigger(id)}` }]),
  listPendingTriggers: ofPipeline("viewer", (id) => [{ path: `/api/v1/triggers/pending?pipeline=${id}` }], {
    any: () => [{ path: "/api/v1/triggers/pending" }, { path: "/api/v1/triggers/pending?limit=1000" }],
  }),
  cancelTrigger: ofPipeline("operator", async (id, world) => [
    { path: `/api/v1/triggers/${await world.trigger(id)}/cancel`, body: {} },
    { path: `/api/v1/triggers/${await world.trigger(id)}/cancel`, body: { pipeline: OWN } },
  ]),
  cancelRun: ofPipeline("operator", (id, world) => [
    { path: `/api/v1/runs/${world.run(id)}/cancel`, body: {} },
    { path: `/api/v1/runs/${world.run(id)}/cancel`, body: { pipeline: OWN } },
  ]),
  cancelMany: ofPipeline("operator", (id) => [{ path: "/api/v1/triggers/cancel", body: { pipelines: [id], preview: true } }], {
    any: () => [{ path: "/api/v1/triggers/cancel", body: { everything: true, preview: true } }],
  }),
  retryRun: ofPipeline("operator", (id, world) => [{ path: `/api/v1/runs/${world.run(id)}/retry`, body: {} }]),
  rerun: ofPipeline("operator", (id, world) => [{ path: `/api/v1/runs/${world.run(id)}/rerun`, body: {} }]),
  getScheduleConfig: ofPipeline("viewer", (id) => [{ path: `/api/v1/schedule/config?pipeline=${id}` }]),
  putScheduleConfig: ofPipeline("admin", (id) => [
    { path: "/api/v1/schedule/config", body: { pipeline: id, max_concurrent_runs: 7 } },
    { path: `/api/v1/schedule/config?pipeline=${id}`, body: { max_concurrent_runs: 8 } },
    { path: `/api/v1/schedule/config?pipeline=${id === OWN ? FOREIGN : OWN}`, body: { pipeline: id, max_concurrent_runs: 9 } },
  ]),
  listMaintenance: any("viewer", "/api/v1/schedule/maintenance"),
  addMaintenance: ofPipeline("admin", (id) => [{ path: "/api/v1/schedule/maintenance", body: { ...WINDOW, pipeline: id } }], {
    all: () => [{ path: "/api/v1/schedule/maintenance", body: WINDOW }],
  }),
  removeMaintenance: ofPipeline("admin", async (id, world) => [{ path: `/api/v1/schedule/maintenance/${await world.maintenance(id)}` }], {
    all: async (world) => [{ path: `/api/v1/schedule/maintenance/${await world.maintenance(null)}` }],
  }),
  pause: named(
    "operator",
    "/api/v1/pipeline/pause",
    { duration_minutes: 0.001 },
    {
      all: () => [{ path: "/api/v1/pipeline/pause", body: { all: true, duration_minutes: 0.001 } }],
    },
  ),
  resume: named("operator", "/api/v1/pipeline/resume", {}, { all: () => [{ path: "/api/v1/pipeline/resume", body: { all: true } }] }),
  pausePipeline: below("operator", "/pause", { duration_minutes: 0.001 }),
  resumePipeline: below("operator", "/resume", {}),
  listSkips: below("viewer", "/skips"),
  skip: below("operator", "/skip", {}),
  unskip: below("operator", "/unskip", {}),
  listAllTriggers: ofPipeline("viewer", (id) => [{ path: `/api/v1/triggers?pipeline=${id}` }], {
    any: () => [{ path: "/api/v1/triggers?limit=1000" }, { path: "/api/v1/triggers?tag=shared" }],
  }),
  listAllRuns: ofPipeline("viewer", (id) => [{ path: `/api/v1/runs?pipeline=${id}` }], {
    any: () => [{ path: "/api/v1/runs?limit=1000" }],
  }),
  listAllDecisions: ofPipeline("viewer", (id) => [{ path: `/api/v1/decisions?pipeline=${id}` }], {
    any: () => [{ path: "/api/v1/decisions?limit=1000" }],
  }),
  listAllUpcoming: ofPipeline("viewer", (id) => [{ path: `/api/v1/upcoming?pipeline=${id}` }], {
    any: () => [{ path: "/api/v1/upcoming" }, { path: "/api/v1/upcoming?limit=1000" }],
  }),
  listPipelines: any("viewer", "/api/v1/pipelines", "/api/v1/pipelines?limit=1000"),
  getPipeline: below("viewer", ""),
  getPipelineStatus: ofPipeline("viewer", (id) => [{ path: `/api/v1/pipeline/status?pipeline=${id}` }]),
  listTriggers: below("viewer", "/triggers?limit=1000"),
  listRuns: below("viewer", "/runs?limit=1000"),
  getRun: ofPipeline("viewer", (id, world) => [{ path: `/api/v1/runs/${world.run(id)}` }]),
  listDecisions: below("viewer", "/decisions?limit=1000"),
  getDecision: ofPipeline("viewer", async (id, world) => [{ path: `/api/v1/decisions/${await world.decision(id)}` }]),
  listUpcoming: below("viewer", "/upcoming"),
  explain: below("viewer", "/explain"),
  backfill: below("operator", "/backfill", LONG_AGO),
  getStatistics: { least: "viewer", requests: { all: () => [{ path: "/api/v1/statistics" }] } },
  getPipelineStatistics: below("viewer", "/statistics"),
  listAlerts: any("viewer", "/api/v1/alerts"),
  listSilences: any("viewer", "/api/v1/silences"),
  addSilence: ofPipeline("operator", (id) => [{ path: "/api/v1/silences", body: { pipeline: id, duration_minutes: 1 } }], {
    all: () => [
      { path: "/api/v1/silences", body: { rule: "run_failed", duration_minutes: 1 } },
      { path: "/api/v1/silences", body: { tag: "shared", duration_minutes: 1 } },
    ],
  }),
  endSilence: ofPipeline("operator", async (id, world) => [{ path: `/api/v1/silences/${await world.silence(id)}` }], {
    all: async (world) => [{ path: `/api/v1/silences/${await world.silence(null)}` }],
  }),
  listNodes: { least: "viewer", requests: { all: () => [{ path: "/api/v1/nodes" }] } },
  dismissNode: { least: "operator", requests: { all: () => [{ path: "/api/v1/nodes/a-node-that-was-lost" }] } },
  getAdaptive: below("viewer", "/adaptive"),
  resetAdaptive: below("admin", "/adaptive/reset", {}),
  listTokens: { least: "admin", requests: { all: () => [{ path: "/api/v1/tokens" }] } },
  getToken: { least: "admin", requests: { all: async (world) => [{ path: `/api/v1/tokens/${await world.token()}` }] } },
  issueToken: {
    least: "admin",
    requests: {
      all: () => [
        { path: "/api/v1/tokens", body: { role: "viewer" } },
        { path: "/api/v1/tokens", body: { role: "viewer", pipelines: [OWN] } },
      ],
    },
  },
  rotateToken: {
    least: "admin",
    requests: { all: async (world) => [{ path: `/api/v1/tokens/${await world.token()}/rotate`, body: {} }] },
  },
  revokeToken: { least: "admin", requests: { all: async (world) => [{ path: `/api/v1/tokens/${await world.token()}` }] } },
  listAudit: any("admin", "/api/v1/audit", "/api/v1/audit?limit=1000"),
  getAuditRecord: ofPipeline("admin", async (id, world) => [{ path: `/api/v1/audit/${await world.audited(id)}` }]),
  getAuditHead: { least: "admin", requests: { all: () => [{ path: "/api/v1/audit/head" }] } },
  verifyAudit: { least: "admin", requests: { all: () => [{ path: "/api/v1/audit/verify" }] } },
};
