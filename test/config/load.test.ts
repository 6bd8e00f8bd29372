import { describe, expect, it } from "vitest";
import { createScheduler, memoryStore, type Pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { around, loaded, NOW, problemsOf } from "../support/config-file.js";

const fires = ({ schedule }: Pipeline, count: number, from = NOW): string[] => {
  const all: string[] = [];
  for (let at = schedule.nextAfter(from); at !== null && all.length < count; at = schedule.nextAfter(at))
    all.push(new Date(at).toISOString());
  return all;
};
const sales = (text: string, rest = ""): Pipeline => loaded(around(text, rest)).scheduler.pipelines[0] as Pipeline;

describe("a configuration", () => {
  it("becomes the options that code uses, and runs", async () => {
    const clock = fakeClock("2026-03-02T00:30:00Z");
    const seen: unknown[] = [];
    const { scheduler: options } = loaded(
      `
pipelines:
  sales:
    schedule: { cron: "0 * * * *" }
    conditions: [ { stale: { older_than: 90m } } ]
    parameters: { properties: { full: { type: boolean, default: false } } }
resources: { pools: { warehouse: 2 }, max_active_runs: 5 }
`,
      { functions: { sales: ({ parameters }) => void seen.push(parameters) } },
    );
    const scheduler = createScheduler({ ...options, store: memoryStore(), clock, logger: { log: () => {} } });
    await scheduler.start();
    await clock.advance("3h");
    expect((await scheduler.decisions()).items.map(({ outcome }) => outcome).toReversed()).toEqual(["run", "skip", "run"]);
    await expect(scheduler.trigger("sales", { parameters: { full: "yes" } })).rejects.toMatchObject({ code: "INVALID_PARAMETERS" });
    expect(seen).toEqual([{ full: false }, { full: false }]);
    await scheduler.stop();
  });

  it("has schedules of every kind, in the file's zone unless they name one", () => {
    const zone = "time_zone: Europe/Berlin";
    expect(fires(sales('schedule: { cron: "0 2 * * *" }', zone), 1)).toEqual(["2026-03-02T01:00:00.000Z"]);
    expect(fires(sales('schedule: { cron: "0 2 * * *", time_zone: UTC }', zone), 1)).toEqual(["2026-03-02T02:00:00.000Z"]);
    expect(fires(sales("pattern: production_daily", zone), 1)).toEqual(["2026-03-02T01:00:00.000Z"]);
    expect(fires(sales("pattern: financial_end_of_day", zone), 1)).toEqual(["2026-03-02T23:00:00.000Z"]);
    expect(fires(sales('schedule: { every: 1h, anchor: "2026-01-01T00:15:00Z" }'), 2)).toEqual([
      "2026-03-02T00:15:00.000Z",
      "2026-03-02T01:15:00.000Z",
    ]);
    expect(fires(sales('schedule: { at: ["2026-03-03T00:00:00Z", "2026-03-02T12:00:00Z"] }'), 3)).toEqual([
      "2026-03-02T12:00:00.000Z",
      "2026-03-03T00:00:00.000Z",
    ]);
    expect(fires(sales('schedule: { union: [ { cron: "0 8 * * *" }, { cron: "30 16 * * *" } ] }'), 2)).toEqual([
      "2026-03-02T08:00:00.000Z",
      "2026-03-02T16:30:00.000Z",
    ]);
    expect(
      fires(
        sales('schedule: { cron: "0 8 * * *", within: work }', "calendars: { work: { business_days: { holidays: ['2026-03-03'] } } }"),
        2,
      ),
    ).toEqual(["2026-03-02T08:00:00.000Z", "2026-03-04T08:00:00.000Z"]);
    expect(fires(sales("schedule: { every: 6h, except: { start: '05:00', end: '13:00' } }"), 2)).toEqual([
      "2026-03-02T18:00:00.000Z",
      "2026-03-03T00:00:00.000Z",
    ]);
    expect(sales("schedule: manual").schedule.kind).toBe("manual");
  });

  it("takes adaptive_scheduling as the scheduling system's page writes it", () => {
    const section = `adaptive_scheduling:
  enabled: true
  base_interval_minutes: 60
  min_interval_minutes: 30
  max_interval_minutes: 240
  performance_thresholds:
    success_rate_min: 0.95
    avg_duration_max_minutes: 45
`;
    expect(sales("adaptive: true", section).schedule.describe()).toBe("every 1h, adapting from 30m to 4h");
    expect(sales("adaptive: true", section.replace("true", "false")).schedule.describe()).toBe("every 1h");
    expect(sales("adaptive: { base: 2h, min: 1h, max: 8h, tuner: load_based, cpu_above: 0.5 }").schedule.describe()).toBe(
      "every 2h, adapting from 1h to 8h",
    );
    expect(problemsOf(around("adaptive: true"))).toEqual(["4: pipelines.sales.adaptive: true requires the section adaptive_scheduling"]);
  });

  it("gives patterns of its own, on a built-in one or from nothing", () => {
    const own = `
patterns:
  night: { description: After the shops close, cron: "30 23 * * *", time_zone: Europe/Paris, execution: { retries: 1, catchup: true }, sla: 3h }
business_patterns:
  peak: { description: Peak hours, based_on: ecommerce_peak_hours, time_zone: Europe/Berlin, execution: { timeout: 10m } }
`;
    const night = sales("pattern: night", own);
    expect([night.schedule.describe(), night.execution.retries, night.execution.catchup, night.slaMs]).toEqual([
      "cron 30 23 * * * (Europe/Paris)",
      1,
      "all",
      10_800_000,
    ]);
    const peak = sales("pattern: peak\nexecution: { retries: 7 }", own);
    expect([peak.schedule.describe(), peak.execution.timeoutMs, peak.execution.retries]).toEqual([
      "cron 0 8,12,16,20 * * * (Europe/Berlin)",
      600_000,
      7,
    ]);
  });

  it("has conditions of every kind, and rules for all pipelines or some", () => {
    const text = `
conditions:
  - stale: { older_than: 1h, source: { file: data.csv } }
  - stale: { older_than: 1h, source: { http: { url: "https://data.example/status", path: updated_at } } }
  - stale: { older_than: 1h, source: { sql: { url: "sqlite:x.db", query: "SELECT max(at) FROM t" } } }
  - maintenance_window: { start: "02:00", end: "04:00", days: [sunday] }
  - maintenance_window: { windows: [ { from: "2026-05-01T00:00:00Z", until: "2026-05-02T00:00:00Z" } ], on_block: hold }
  - business_day: { time_zone: America/New_York, holidays: ["2026-12-25"] }
  - healthy:
      probes:
        - { http: { url: "https://x.example/health", json: { path: status, equals: ok } }, name: x }
        - { tcp: { host: db.example, port: 5432 }, timeout: 2s }
        - { sql: { url: "postgres://etl@db.example/x" } }
        - { command: { command: "true" } }
        - { airflow: { base_url: "http://airflow.example" } }
  - depends_on: { type: tcp, host: db.example, port: 5432 }
  - system_load: { cpu: 80, memory: 85, queue_length: 5, disk: { path: /, percent: 90 } }
  - data_volume: { source: { sql: { url: "sqlite:x.db", query: "SELECT count(*) FROM t" } }, min: 10 }
  - max_per_period: { count: 3, period: 24h }
  - any_of:
      - not: { succeeded: { pipeline: other, within: 1h } }
      - all_of: [ { stale: { older_than: 6h } }, { succeeded: { pipeline: other } } ]
`;
    const rules = `
  other: { executor: { command: { command: echo } } }
conditional_execution:
  pipelines: sales
  maintenance_windows: [ { start: "22:00", end: "23:00" } ]
  data_freshness: { staleness_threshold_hours: 24 }
  system_health: { memory: 90 }
  external_dependencies: [ { type: http, url: "https://prices.example/health" } ]
  on_block: hold
  hold_for: 2h
`;
    const { pipelines } = loaded(around(text, rules)).scheduler;
    const [first, other] = pipelines as [Pipeline, Pipeline];
    expect(first.gate.conditions).toHaveLength(16);
    expect(first.gate).toMatchObject({ onBlock: "hold", holdForMs: 7_200_000 });
    expect(other.gate.conditions).toEqual([]);
  });

  it("takes several secrets of a webhook source, from variables and files, and shows none of them", () => {
    const config = loaded(
      {
        "schedule_config.yaml": `pipelines: { a: { executor: { command: { command: echo } } } }
triggers: { webhooks: [ { source: github, scheme: github, secret: [ "\${NEW}", "file:old.secret" ] } ] }
`,
        "old.secret": "the-old-secret-of-github\n",
      },
      { env: { NEW: "the-new-secret-of-github" } },
    );
    expect(config.api?.options.webhooks?.[0]?.secret).toEqual(["the-new-secret-of-github", "the-old-secret-of-github"]);
    expect(config.scheduler.redact).toEqual(expect.arrayContaining(["the-new-secret-of-github", "the-old-secret-of-github"]));
    expect(JSON.stringify(config.shown)).not.toMatch(/secret-of-github/);
  });

  it("has sensors, executors, channels, rules and routes of every kind", () => {
    const { scheduler, api, triggerFiles } = loaded(`
pipelines:
  a:
    sensors:
      - { file: { path: incoming, pattern: "*.csv" }, every: 10s }
      - { http: { url: "https://x.example/y", watch: status } }
      - { sql: { url: "sqlite:x.db", query: "SELECT 1" }, name: q }
      - { changed_rows: { url: "sqlite:x.db", table: t } }
      - { pipeline: { pipeline: b, status: failed } }
      - { webhook: { sources: provider } }
    executor: { worker_thread: { module: work.mjs } }
  b: { executor: { webhook: { url: "https://jobs.example/run", secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0, callback_url: "https://etl.example/back" } } }
  c: { executor: { airflow: { base_url: "http://airflow.example", username: u, password: p, dag_id: d } } }
  d: { executor: { bullmq: { queue: q } } }
  e: { executor: { module: { path: work.mjs } } }
  f: { executor: shared }
  g: { executor: shared }
executors: { shared: { command: { command: echo, args: [x] } } }
triggers:
  api: { port: 0, prefix: /etl, default_pipeline: a, queue_limits: { pipeline: { count: 10 }, total: { bytes: 1000000 } } }
  webhooks: [ { source: provider, pipelines: a, secret: 0123456789abcdef, scheme: github } ]
  files: { directory: drop, pipeline: a, polling: 1s }
monitoring:
  rules: { failure_rate: { above: 0.5 }, long_running: false, stale_data: { older_than: 2d, pipelines: a } }
  channels:
    log: { console: {} }
    mail: { email: { server: "smtp://mail.example:25", from: a@example.org, to: [b@example.org] } }
    chat: { slack: { url: "https://hooks.slack.example/x" }, rate_limit: { count: 5, per: 1m } }
    hook: { webhook: { url: "https://alerts.example" } }
  routes: [ { channels: [mail], severities: [critical], fallback: log }, { channels: chat } ]
security:
  admin_token: 0123456789abcdef
  tokens: [ { id: reader, role: viewer, token: fedcba9876543210, pipelines: a, user: ana, acts_for_others: true } ]
  audit: { key: 0123456789abcdef0123456789abcdef, previous_keys: [fedcba9876543210fedcba9876543210], head_interval: 5m }
  rate_limits: { per_token: { requests: 10, per: 1m }, per_address: false }
`);
    const { pipelines, monitoring, audit } = scheduler;
    expect(audit).toEqual({
      key: "0123456789abcdef0123456789abcdef",
      previousKeys: ["fedcba9876543210fedcba9876543210"],
      headInterval: "5m",
    });
    expect(scheduler.redact).toEqual(expect.arrayContaining([audit?.key, ...(audit?.previousKeys ?? [])]));
    expect(pipelines[0]?.sensors.map(({ kind }) => kind)).toEqual(["poll", "poll", "poll", "poll", "poll", "webhook"]);
    expect(pipelines.map(({ executor }) => (typeof executor === "object" ? executor?.kind : executor))).toEqual([
      "local",
      "remote",
      "remote",
      "remote",
      undefined,
      "local",
      "local",
    ]);
    expect(pipelines[5]?.executor).toBe(pipelines[6]?.executor);
    expect(monitoring?.channels?.map(({ name }) => name)).toEqual(["log", "mail", "chat", "hook"]);
    const rules = monitoring?.rules?.map(({ name }) => name);
    expect(rules).toContain("stale_data");
    expect(rules).not.toContain("long_running");
    expect(api).toMatchObject({
      listen: { host: "127.0.0.1", port: 0, prefix: "/etl" },
      options: {
        adminToken: "0123456789abcdef",
        tokens: [{ id: "reader", role: "viewer", pipelines: ["a"], user: "ana", actsForOthers: true }],
        addressLimit: null,
        tokenLimit: { requests: 10 },
      },
    });
    expect(triggerFiles).toMatchObject({ directory: expect.stringMatching(/\/drop$/), pipeline: "a", polling: "1s" });
  });

  it("calls functions of modules beside the file", async () => {
    const clock = fakeClock(NOW);
    const { scheduler: options } = loaded({
      "schedule_config.yaml":
        "pipelines:\n  a: { executor: { module: { path: work.mjs } } }\n  b: { executor: { module: { path: work.mjs, export: other } } }\n  c: { executor: { module: { path: work.mjs, export: none } }, execution: { retries: 0 } }\n",
      "work.mjs": "export const a = ({ runId }) => ({ a: runId !== '' });\nexport const other = () => 'other';\n",
    });
    const scheduler = createScheduler({ ...options, store: memoryStore(), clock, logger: { log: () => {} } });
    await scheduler.start();
    for (const id of ["a", "b", "c"]) {
      const done = new Promise((resolve) => scheduler.on("run.succeeded", resolve));
      const failed = new Promise((resolve) => scheduler.on("run.failed", resolve));
      await scheduler.trigger(id);
      await Promise.race([done, failed]);
    }
    expect((await scheduler.runs()).items.map(({ output, error }) => output ?? error?.message).toReversed()).toEqual([
      { a: true },
      "other",
      expect.stringContaining('exports no function "none"'),
    ]);
    await scheduler.stop();
  });
});

describe("environments", () => {
  const file = `
time_zone: UTC
pipelines:
  sales: { schedule: { every: 1h }, tags: [a, b], sla: 2h, execution: { retries: 5, timeout: 1h }, executor: { command: { command: echo } } }
  extra: { executor: { command: { command: echo } } }
environments:
  production: { pipelines: { sales: { schedule: { every: 5m }, tags: [c], sla: null, execution: { retries: 1 } }, extra: null } }
  berlin: { time_zone: Europe/Berlin }
`;
  const of = (options: object) => loaded(file, options);

  it("lie over the base: maps are merged, lists replaced, null takes away", () => {
    const [sales, ...rest] = of({ environment: "production" }).scheduler.pipelines;
    expect(rest).toEqual([]);
    expect(sales).toMatchObject({ tags: ["c"], slaMs: null, execution: { retries: 1, timeoutMs: 3_600_000 } });
    expect(sales?.schedule.describe()).toBe("every 5m");
  });

  it("are chosen by the option, else HEADGATE_ENV, else NODE_ENV, else it is development", () => {
    const env = { HEADGATE_ENV: "production", NODE_ENV: "berlin" };
    expect(of({ env, environment: "berlin" }).environment).toBe("berlin");
    expect(of({ env }).environment).toBe("production");
    expect(of({ env: { NODE_ENV: "berlin" } }).shown.time_zone).toBe("Europe/Berlin");
    expect(of({ env: { NODE_ENV: "whatever" } }).shown.time_zone).toBe("UTC");
    expect(of({}).environment).toBe("development");
    expect(problemsOf(file, { env: { HEADGATE_ENV: "produktion" } })).toEqual([
      '6: environments: no such environment: "produktion"; did you mean "production"? available: production, berlin',
    ]);
  });

  it("and includes: what is included lies below, later files over earlier ones", () => {
    const { shown, files } = loaded({
      "main.yaml": "include: [parts/one.yaml, parts/two.yaml]\npipelines: { c: { tags: [main] } }\n",
      "parts/one.yaml":
        "include: three.yaml\ntime_zone: Europe/Paris\npipelines: { a: { executor: x }, c: { tags: [one], executor: x } }\n",
      "parts/two.yaml": "time_zone: Europe/Rome\nexecutors: { x: { command: { command: echo } } }\n",
      "parts/three.yaml": "pipelines: { b: { executor: x } }\n",
    });
    expect(shown).toMatchObject({ time_zone: "Europe/Rome", pipelines: { a: {}, b: {}, c: { tags: ["main"], executor: "x" } } });
    expect(files.map((file) => file.split("/").at(-1))).toEqual(["main.yaml", "one.yaml", "three.yaml", "two.yaml"]);
  });

  it("takes the tags of YAML's core schema, a byte order mark and an anchor that is set twice, as YAML 1.2 has them", () => {
    const { scheduler } = loaded(
      "\ufeff%YAML 1.2\n---\npipelines: !!map\n  !!str a: { executor: &x { command: { command: &y !!str 1, args: !!seq [ &y !!str 2, *y ] } }, tags: [*y] }\n  b: { executor: *x }\n",
    );
    expect(scheduler.pipelines.map(({ id, tags }) => [id, tags])).toEqual([
      ["a", ["2"]],
      ["b", []],
    ]);
  });
});

describe("variables and secrets", () => {
  it("are put in, become what is wanted where they stand", () => {
    const env = { PORT: "6000", ZONE: "Europe/Berlin", TAG: "42", METRICS: "true", TOKEN: "12345678901234567890", EMPTY: "" };
    const { api, shown, scheduler } = loaded(
      around(
        'tags: ["${TAG}", "x${TAG}", "$${TAG}", "${NONE:-a b}", "${EMPTY:-c}"]',
        'time_zone: ${ZONE}\ntriggers: { api: { port: "${PORT}" } }\nsecurity:\n  admin_token: ${TOKEN}\nmonitoring:\n  metrics: ${METRICS}\n',
      ),
      { env },
    );
    expect(api?.listen.port).toBe(6_000);
    expect(api?.options.adminToken).toBe("12345678901234567890");
    expect(scheduler.pipelines[0]?.tags).toEqual(["42", "x42", "${TAG}", "a b", "c"]);
    expect(JSON.stringify(shown)).not.toContain("1234567890");
  });

  it("that are missing are all named, with their place", () => {
    expect(
      problemsOf(around("tags: [a]", "security:\n  admin_token: ${ADMIN}\nstore: { url: '${DB}' }\nlogging:\n  level: ${LEVEL:-info}\n")),
    ).toEqual([
      "6: security.admin_token: the environment variable ADMIN is not set; set it, or provide a default: ${ADMIN:-…}",
      "7: store.url: the environment variable DB is not set; set it, or provide a default: ${DB:-…}",
    ]);
    expect(problemsOf(around("tags: ['${a-b}']"))).toEqual([
      "4: pipelines.sales.tags[0]: has an invalid reference ${…}; write ${NAME} or ${NAME:-default}, and $$ for a dollar sign",
    ]);
  });

  it("of env, headers, variables and addresses are redacted from runs and shown nowhere, but not names, usual words and exceptions", () => {
    const text = `pipelines:
  sales_report: { executor: { command: { command: sh, args: ["\${ARG}"], env: { API_KEY: literal-env-secret, LEVEL: warning, TABLE: sales_daily, NAME: "\${NAME}" } } } }
  other:
    executor: { webhook: { url: "https://jobs.example/run?token=query-secret-1", secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0, headers: { x-key: literal-header-secret } } }
    conditions: [ { healthy: { probes: [ { http: { url: "https://me:userinfo-secret@x.example/?key=query-secret-2", headers: { authorization: Bearer bearer-secret-3 } } } ] } } ]
security: { redact_except: [sales_daily] }
`;
    const config = loaded(text, { env: { ARG: "variable-secret-4", NAME: "sales_report" } });
    const secrets = ["literal-env-secret", "literal-header-secret", "query-secret-1", "query-secret-2", "userinfo-secret"];
    expect(config.scheduler.redact).toEqual(expect.arrayContaining([...secrets, "bearer-secret-3", "variable-secret-4"]));
    for (const usual of ["warning", "sales_daily", "sales_report"]) expect(config.scheduler.redact).not.toContain(usual);
    expect(config.scheduler.redactExcept).toEqual(["sales_daily", "sales_report", "other"]);
    expect(JSON.stringify(config.shown)).not.toMatch(/secret-\d|userinfo-secret|literal-/);
    expect(JSON.stringify(config.shown)).toMatch(/https:\/\/jobs.example\/run\?token=\[redacted\]/);
  });

  it("come from files, are redacted from runs, and stand in no error", () => {
    const files = {
      "schedule_config.yaml": around(
        "tags: [x]",
        "security: { admin_token: 'file:secrets/admin' }\nmonitoring: { channels: { chat: { slack: { url: '${SLACK}' } } } }\n",
      ),
      "secrets/admin": "top-secret-admin-token\n",
    };
    const config = loaded(files, { env: { SLACK: "https://hooks.slack.example/T0/B0/very-secret" } });
    expect(config.api?.options.adminToken).toBe("top-secret-admin-token");
    expect(config.scheduler.redact).toEqual(
      expect.arrayContaining(["top-secret-admin-token", "https://hooks.slack.example/T0/B0/very-secret"]),
    );
    expect(JSON.stringify(config.shown)).not.toMatch(/top-secret|very-secret/);
    const [problem] = problemsOf(files, { env: { SLACK: "not-an-address-but-very-secret" } });
    expect(problem).toContain("monitoring.channels.chat.slack");
    expect(problem).not.toContain("very-secret");
    expect(problemsOf({ ...files, "secrets/admin": "" }, { env: { SLACK: "https://x.example" } })).toEqual([
      "5: security.admin_token: the file secrets/admin is empty",
    ]);
    expect(problemsOf(around("tags: [x]", "security: { admin_token: 'file:none' }"))).toEqual([
      "5: security.admin_token: the file none cannot be read (ENOENT)",
    ]);
  });
});
