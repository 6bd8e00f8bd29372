import { tmpdir } from "node:os";
import * as core from "../../src/index.js";

/** Options in whatever form: what JavaScript may hand over. */
// biome-ignore lint/suspicious/noExplicitAny: the point is to hand over what the types refuse
export type Anything = any;

/** One object of options of an exported function. */
interface Taker {
  /** What it is, if the function takes several, or one within another. */
  readonly of?: string;
  /** Options that are accepted. */
  readonly valid: Readonly<Record<string, unknown>>;
  call(options: Anything): unknown;
  /** Wrong kinds that mean something here, such as a list instead of one. */
  readonly accepts?: readonly ("array" | "text" | "null" | "function")[];
  /** Calling it with valid options would open connections. */
  readonly opens?: true;
}

/** What each exported function takes; a reason in words for those that take no options. */
export type Table = Readonly<Record<string, readonly Taker[] | string>>;

const NOTHING = "takes no options";
const run = () => {};
const clock = { now: () => 0 };
const url = "https://data.example/";
const database = { url: "sqlite:flights.db" };
const secret = `whsec_${Buffer.from("a secret of 24 bytes or more").toString("base64")}`;
const scheduler = core.createScheduler({ logger: { log: () => {} } });
const probe = { name: "probe", measure: () => true };
const one = (valid: Taker["valid"], call: Taker["call"], more: Partial<Taker> = {}): readonly Taker[] => [{ valid, call, ...more }];
const lookups = { runs: 5 };

const CORE: Table = {
  HeadgateError: NOTHING,
  NonRetryableError: NOTHING,
  adaptive: [
    { valid: { base: "1h", min: "30m", max: "4h", tuner: core.performanceBased() }, call: core.adaptive },
    {
      of: "window",
      valid: lookups,
      call: (window) => core.adaptive({ base: "1h", min: "30m", max: "4h", tuner: core.performanceBased(), window }),
    },
  ],
  allOf: NOTHING,
  anyOf: NOTHING,
  at: NOTHING,
  businessDay: one({ timeZone: "UTC" }, core.businessDay),
  businessDays: one({ timeZone: "UTC" }, core.businessDays),
  clockSkew: one({ above: "5s" }, core.clockSkew),
  combine: NOTHING,
  condition: one({ timeout: "1s" }, (options) => core.condition("open", () => true, options)),
  consecutiveFailures: one({ count: 2 }, core.consecutiveFailures),
  consoleLogger: one({ level: "info" }, core.consoleLogger),
  createScheduler: [
    { valid: { node: "a" }, call: core.createScheduler },
    { of: "monitoring", valid: { every: "1m" }, call: (monitoring) => core.createScheduler({ monitoring }) },
    { of: "audit", valid: { headInterval: "1m" }, call: (audit) => core.createScheduler({ audit }) },
    {
      of: "monitoring.routes[0]",
      valid: { channels: ["a"] },
      call: (route) => core.createScheduler({ monitoring: { channels: [{ name: "a", send: async () => {} }], routes: [route] } }),
    },
    {
      of: "connections.shop",
      valid: { type: "sql", url: "sqlite:shop.db" },
      call: (shop) => core.createScheduler({ connections: { shop } }),
    },
  ],
  cron: one({ timeZone: "Europe/Berlin" }, (options) => core.cron("0 2 * * *", options)),
  dataVolume: one({ source: { name: "rows", measure: () => 1 }, min: 1 }, core.dataVolume),
  dataVolumeBased: one({ recordsAbove: 5 }, core.dataVolumeBased),
  defaultRules: NOTHING,
  definePattern: [
    { valid: { description: "d", interval: "1h" }, call: (options) => core.definePattern("mine", options) },
    {
      of: "execution",
      valid: { retries: 2 },
      call: (execution) => core.definePattern("mine", { description: "d", interval: "1h", execution }),
    },
  ],
  durationMs: NOTHING,
  evaluateAlerts: "takes records, not options",
  excessOf: NOTHING,
  every: one({ anchor: 0 }, (options) => core.every("1h", options)),
  except: one({ start: "01:00", end: "02:00" }, (window) => core.except(core.every("1h"), window), { accepts: ["array"] }),
  failureRate: one({ above: 0.5 }, core.failureRate),
  formatDuration: NOTHING,
  freshnessTarget: one({ maxAge: "3h" }, core.freshnessTarget),
  functionExecutor: one({ concurrency: 2 }, core.functionExecutor),
  healthy: one({ probes: [probe] }, core.healthy),
  jsonLogger: one({ clock }, core.jsonLogger),
  listPatterns: "takes a group",
  loadBased: one({ cpuAbove: 0.5 }, core.loadBased),
  longRunning: one({ limit: "1h" }, core.longRunning),
  maintenanceWindow: [
    { of: "window", valid: { start: "01:00", end: "02:00" }, call: (window) => core.maintenanceWindow(window), accepts: ["array"] },
    {
      of: "single window",
      valid: { from: 0, until: 1 },
      call: (window) => core.maintenanceWindow([window]),
    },
    { valid: { onBlock: "hold" }, call: (options) => core.maintenanceWindow({ start: "01:00", end: "02:00" }, options) },
  ],
  manual: NOTHING,
  maxPerPeriod: one({ count: 1, period: "1h" }, core.maxPerPeriod),
  memoryStore: [
    { valid: { retention: { count: 1 } }, call: core.memoryStore },
    { of: "retention", valid: { count: 1 }, call: (retention) => core.memoryStore({ retention }) },
  ],
  missedSchedule: one({ tolerance: "1m" }, core.missedSchedule),
  nodeFailing: one({ for: "1m" }, core.nodeFailing),
  nodeLost: one({ for: "1m" }, core.nodeLost),
  not: NOTHING,
  pattern: [
    { of: "overrides", valid: { timeZone: "Europe/Berlin" }, call: (overrides) => core.pattern("production_daily", overrides) },
    {
      of: "overrides.execution",
      valid: { retries: 1 },
      call: (execution) => core.pattern("production_daily", { execution }),
    },
  ],
  performanceBased: one({ speedUp: 0.5 }, core.performanceBased),
  pipeline: [
    { valid: { id: "a", run }, call: core.pipeline },
    { of: "execution", valid: { retries: 1 }, call: (execution) => core.pipeline({ id: "a", run, execution }) },
  ],
  pipelineRule: one({ severity: "info" }, (options) => core.pipelineRule("slow", () => null, options)),
  planMisfires: "takes records, not options",
  probeUnhealthy: one({ failures: 1 }, core.probeUnhealthy),
  queueBacklog: one({ length: 1 }, core.queueBacklog),
  recommendPattern: NOTHING,
  refuseBeyond: "takes records, not options",
  runFailed: one({ severity: "info" }, core.runFailed),
  runRetried: one({ severity: "info" }, core.runRetried),
  schedulerRule: one({ severity: "info" }, (options) => core.schedulerRule("slow", () => [], options)),
  sensor: one({ every: "1m" }, (options) => core.sensor("new orders", () => true, options)),
  sensorFailing: one({ failures: 1 }, core.sensorFailing),
  slaAtRisk: one({ within: "1m" }, core.slaAtRisk),
  slaMissed: one({ severity: "info" }, core.slaMissed),
  stale: one({ olderThan: "1h" }, core.stale),
  staleData: one({ olderThan: "1h" }, core.staleData),
  succeeded: one({ within: "1h" }, (options) => core.succeeded("extract", options)),
  systemClock: NOTHING,
  timeWindows: one({ start: "01:00", end: "02:00" }, (window) => core.timeWindows([window])),
  union: NOTHING,
  upcoming: one({ from: 0 }, (options) => core.upcoming(core.every("1h"), options)),
  validatePattern: "reports problems instead of throwing them; see patterns.test.ts",
  webhookSensor: one({ sources: ["a"] }, core.webhookSensor),
  within: one({ start: "01:00", end: "02:00" }, (window) => core.within(core.every("1h"), window), { accepts: ["array"] }),
};

const PLAYED = {
  history: [{ status: "succeeded", scheduledFor: 0, startedAt: 0, endedAt: 3_600_000, attempt: 1 }],
  pipeline: core.pipeline({ id: "a", run, schedule: core.every("1h") }),
};

/** What the other entry points export, by entry point. Their modules are handed over, since some are only loaded where they can be. */
export const ENTRIES: Readonly<Record<string, (exports: Anything) => Table>> = {
  index: () => CORE,
  testing: (its) => ({
    fakeClock: one({ patience: "1s" }, (options) => its.fakeClock(0, options)),
    simulate: [
      { valid: { pipelines: [], from: 0, to: 1 }, call: its.simulate },
      { of: "world", valid: {}, call: (world) => its.simulate({ pipelines: [], from: 0, to: 1, world }) },
    ],
    backtest: [
      { valid: PLAYED, call: its.backtest },
      { of: "history", valid: { runs: PLAYED.history }, call: (history) => its.backtest({ ...PLAYED, history }), accepts: ["array"] },
      { of: "world", valid: { probes: {} }, call: (world) => its.backtest({ ...PLAYED, world }) },
    ],
    readHistory: one({ pipelineId: "a" }, (options) => its.readHistory(scheduler, options)),
    describeExecutor: "takes a test runner",
    describeStore: "takes a test runner",
  }),
  holidays: (its) => ({ publicHolidays: one({ country: "DE" }, its.publicHolidays) }),
  sqlite: (its) => ({
    sqliteStore: [
      { valid: { file: ":memory:" }, call: its.sqliteStore },
      { of: "retention", valid: { count: 1 }, call: (retention) => its.sqliteStore({ file: ":memory:", retention }) },
    ],
  }),
  postgres: (its) => ({
    postgresStore: [
      { valid: { connectionString: "postgres://localhost/test" }, call: its.postgresStore, opens: true },
      {
        of: "retention",
        valid: { count: 1 },
        call: (retention) => its.postgresStore({ connectionString: "postgres://localhost/test", retention }),
        opens: true,
      },
    ],
  }),
  stores: (its) => ({
    storeFromUrl: [
      { valid: { retention: { count: 1 } }, call: (options) => its.storeFromUrl("memory:", options) },
      { of: "retention", valid: { count: 1 }, call: (retention) => its.storeFromUrl("sqlite::memory:", { retention }) },
    ],
  }),
  http: (its) => ({
    createTriggerApi: [
      { valid: { bodyLimit: 5 }, call: (options) => its.createTriggerApi(scheduler, options) },
      {
        of: "tokenLimit",
        valid: { requests: 1, per: "1m" },
        call: (tokenLimit) => its.createTriggerApi(scheduler, { tokenLimit }),
        accepts: ["null"],
      },
      { of: "queueLimits", valid: { total: { count: 1 } }, call: (queueLimits) => its.createTriggerApi(scheduler, { queueLimits }) },
      {
        of: "webhooks[0]",
        valid: { source: "shop" },
        call: (webhook) => its.createTriggerApi(scheduler, { webhooks: [webhook] }),
      },
      {
        of: "tokens[0]",
        valid: { id: "ops", role: "viewer", token: "a token that is long", pipelines: null },
        call: (token) => its.createTriggerApi(scheduler, { tokens: [token] }),
      },
    ],
    nodeTriggerApi: "takes an API",
    limitServer: one({ maxConnections: 5 }, (limits) => its.limitServer({ on: () => {} }, limits)),
  }),
  express: () => ({ expressTriggerApi: "takes an API", keepRawBody: NOTHING }),
  fastify: (its) => ({
    fastifyTriggerApi: one({ api: { host: {}, answer: () => {}, close: () => {} }, prefix: "/x" }, (options) =>
      its.fastifyTriggerApi(
        { removeAllContentTypeParsers: run, addContentTypeParser: run, all: run, addHook: run, prefix: "" } as Anything,
        options,
      ),
    ),
  }),
  client: (its) => ({ ApiError: NOTHING, createClient: one({ baseUrl: url, token: "a" }, its.createClient) }),
  files: (its) => ({
    watchTriggerFiles: one({ directory: tmpdir() }, (options) => its.watchTriggerFiles(scheduler, options), { opens: true }),
  }),
  sensors: (its) => ({
    fileSensor: one({ path: "incoming" }, its.fileSensor),
    httpSensor: [
      { valid: { url }, call: its.httpSensor },
      { of: "watch", valid: { path: "a" }, call: (watch) => its.httpSensor({ url, watch }), accepts: ["text"] },
    ],
    patternSensors: [
      { valid: { directory: "." }, call: its.patternSensors, accepts: ["function"] },
      { of: "database", valid: { ...database, table: "t" }, call: (db) => its.patternSensors({ database: db }) },
    ],
    pipelineSensor: one({ pipeline: "a" }, its.pipelineSensor),
    changedRowsSensor: one({ ...database, table: "orders" }, its.changedRowsSensor),
    sqlSensor: one({ ...database, query: "SELECT 1" }, its.sqlSensor),
    sensor: one({ every: "1m" }, (options) => its.sensor("new orders", () => true, options)),
    webhookSensor: one({ sources: ["a"] }, its.webhookSensor),
  }),
  probes: (its) => ({
    dataVolume: CORE.dataVolume as readonly Taker[],
    healthy: CORE.healthy as readonly Taker[],
    commandProbe: one({ command: "true" }, its.commandProbe),
    dependsOn: [
      { of: "dependency", valid: { type: "tcp", host: "a", port: 1 }, call: (its1) => its.dependsOn(its1), accepts: ["array"] },
      { valid: { onError: "pass" }, call: (options) => its.dependsOn({ type: "tcp", host: "a", port: 1 }, options) },
    ],
    fileModified: one({ timeout: "1s" }, (options) => its.fileModified("a.csv", options)),
    httpProbe: [
      { valid: { url }, call: its.httpProbe },
      { of: "json", valid: { path: "a" }, call: (json) => its.httpProbe({ url, json }) },
      { of: "breaker", valid: { failures: 1 }, call: (breaker) => its.httpProbe({ url, breaker }), accepts: ["null"] },
    ],
    httpTimestamp: one({ url, path: "a" }, its.httpTimestamp),
    systemLoad: [
      { valid: { cpu: 80 }, call: its.systemLoad },
      { of: "disk", valid: { path: "/", percent: 90 }, call: (disk) => its.systemLoad({ disk }) },
    ],
    sqlNumber: one({ ...database, query: "SELECT 1" }, its.sqlNumber),
    sqlProbe: one(database, its.sqlProbe),
    sqlTimestamp: one({ ...database, query: "SELECT 1" }, its.sqlTimestamp),
    tcpProbe: one({ host: "a", port: 1 }, its.tcpProbe),
  }),
  alerts: (its) => ({
    consoleChannel: [
      { valid: { name: "a" }, call: its.consoleChannel },
      { of: "rateLimit", valid: { count: 1, per: "1m" }, call: (rateLimit) => its.consoleChannel({ rateLimit }) },
    ],
    emailChannel: one({ server: "smtp://localhost", from: "a@example.com", to: "b@example.com" }, its.emailChannel),
    slackChannel: one({ url }, its.slackChannel),
    webhookChannel: one({ url }, its.webhookChannel),
  }),
  prometheus: (its) => ({
    prometheusMetrics: one({ pipelines: 5 }, (options) => its.prometheusMetrics(scheduler, options)),
  }),
  otel: (its) => ({ otel: one({ pipelines: 5 }, its.otel) }),
  executors: (its) => ({
    commandExecutor: one({ command: "true" }, its.commandExecutor),
    workerThreadExecutor: one({ module: "work.js" }, its.workerThreadExecutor),
  }),
  "webhook-executor": (its) => ({ webhookExecutor: one({ url, secret }, its.webhookExecutor) }),
  airflow: (its) => ({
    airflowExecutor: one({ baseUrl: url }, its.airflowExecutor),
    airflowHealth: one({ baseUrl: url }, its.airflowHealth),
  }),
  bullmq: (its) => ({
    bullmqExecutor: one({ queue: "a" }, its.bullmqExecutor),
    createWorker: one({ queue: "a" }, (options) => its.createWorker([], options), { opens: true }),
  }),
  pino: () => ({ pinoLogger: "takes a logger of pino" }),
  config: (its) => ({
    ConfigError: NOTHING,
    configSchema: NOTHING,
    differenceLines: NOTHING,
    problemLine: NOTHING,
    recordConfig: "takes what loadConfig returned",
    loadConfig: one({ env: {}, text: "version: 1\npipelines: {}\n" }, (options) => its.loadConfig("schedule.yaml", options), {
      opens: true,
    }),
    watchConfig: one({ current: {} }, (options) => its.watchConfig(scheduler, "schedule.yaml", options), { opens: true }),
  }),
};

/** What the methods of a scheduler take. */
export const METHODS: Table = {
  start: NOTHING,
  add: "takes pipelines",
  replace: "takes a pipeline",
  remove: NOTHING,
  pipelines: NOTHING,
  has: NOTHING,
  getPipeline: NOTHING,
  getTrigger: NOTHING,
  getRun: NOTHING,
  status: NOTHING,
  getPipelineStatus: NOTHING,
  explain: NOTHING,
  recheck: NOTHING,
  on: "takes an event's name and a listener; see events.test.ts",
  once: "takes an event's name and a listener; see events.test.ts",
  stop: one({ drain: "1s" }, (options) => on().stop(options), { opens: true }),
  trigger: one({ reason: "a" }, (options) => on().trigger("a", options)),
  run: one({ reason: "a" }, (options) => on().run("a", options)),
  waitFor: one({ signal: new AbortController().signal }, (options) => on().waitFor("x", options), { opens: true }),
  backfill: one({ from: "2026-03-01", to: "2026-03-01" }, (options) => on().backfill("a", options)),
  cancel: one({ user: "ana" }, (options) => on().cancel("x", options), { opens: true }),
  pause: [
    { valid: { user: "ana" }, call: (options) => on().pause(options), accepts: ["text"] },
    { of: "second", valid: { user: "ana" }, call: (options) => on().pause("a", options) },
  ],
  resume: [
    { valid: { user: "ana" }, call: (options) => on().resume(options), accepts: ["text"] },
    { of: "second", valid: { user: "ana" }, call: (options) => on().resume("a", options) },
  ],
  cancelMany: one({ kind: "backfill" }, (options) => on().cancelMany(options)),
  rerun: one({ user: "ana" }, (options) => on().rerun("x", options), { opens: true }),
  retryNow: one({ user: "ana" }, (act) => on().retryNow("x", act), { opens: true }),
  skip: one({ user: "ana" }, (options) => on().skip("a", options), { opens: true }),
  unskip: one({ user: "ana" }, (options) => on().unskip("a", options)),
  reload: one({ pipelines: [] }, (options) => on().reload(options), { opens: true }),
  retire: one({ user: "ana" }, (options) => on().retire("b", options), { opens: true }),
  upcoming: one({ count: 1 }, (options) => on().upcoming(options)),
  triggers: one({ limit: 1 }, (options) => on().triggers(options)),
  runs: one({ limit: 1 }, (options) => on().runs(options)),
  decisions: one({ limit: 1 }, (options) => on().decisions(options)),
};

/** What the methods of a scheduler's parts take. */
export const PARTS: Readonly<Record<string, Table>> = {
  settings: {
    get: NOTHING,
    maintenance: NOTHING,
    change: [
      {
        of: "change",
        valid: { maxActiveRuns: 2 },
        call: (change) => on().settings.change("a", change),
      },
      { valid: { user: "ana" }, call: (act) => on().settings.change("a", { maxActiveRuns: 2 }, act) },
    ],
    addMaintenance: [
      { of: "window", valid: { start: "01:00", end: "02:00" }, call: (window) => on().settings.addMaintenance(window) },
      {
        valid: { user: "ana" },
        call: (act) => on().settings.addMaintenance({ start: "01:00", end: "02:00" }, act),
      },
    ],
    removeMaintenance: one({ user: "ana" }, (act) => on().settings.removeMaintenance("x", act), { opens: true }),
  },
  statistics: { get: NOTHING, total: NOTHING, window: "is internal", refresh: NOTHING },
  adaptive: {
    get: NOTHING,
    adapted: "is internal",
    refresh: NOTHING,
    onRunEnd: "is internal",
    start: "is internal",
    stop: "is internal",
    reset: one({ user: "ana" }, (act) => on().adaptive.reset("adaptive", act)),
  },
  alerts: {
    list: NOTHING,
    silences: NOTHING,
    start: "is internal",
    stop: "is internal",
    reload: "is internal",
    evaluate: NOTHING,
    silence: one({ duration: "1h" }, (options) => on().alerts.silence(options)),
    unsilence: one({ user: "ana" }, (act) => on().alerts.unsilence("x", act), { opens: true }),
  },
  nodes: {
    list: NOTHING,
    heartbeat: "is internal",
    leave: "is internal",
    read: "is internal",
    nodes: "is internal",
    dismiss: one({ user: "ana" }, (act) => on().nodes.dismiss("x", act), { opens: true }),
  },
  tokens: {
    list: NOTHING,
    holderOf: NOTHING,
    holdersOf: NOTHING,
    issue: one({ role: "viewer" }, (options) => on().tokens.issue(options)),
    rotate: one({ user: "ana" }, (options) => on().tokens.rotate("x", options), { opens: true }),
    revoke: one({ user: "ana" }, (act) => on().tokens.revoke("x", act), { opens: true }),
  },
  audit: {
    open: "is internal",
    start: "is internal",
    close: "is internal",
    append: "takes a record, not options",
    count: "takes a record, not options",
    noted: "is internal",
    touched: "is internal",
    logChange: "is internal",
    entry: "is internal",
    head: NOTHING,
    list: one({ limit: 5 }, (query) => on().audit.list(query)),
    verify: one({ limit: 5 }, (options) => on().audit.verify(options)),
  },
};

let current: core.Scheduler | null = null;

/** The scheduler that {@link METHODS} and {@link PARTS} are tried on. */
export function tryOn(started: core.Scheduler): void {
  current = started;
}

function on(): Anything {
  return current;
}
