import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AlertRule,
  type AlertState,
  clockSkew,
  consecutiveFailures,
  evaluateAlerts,
  failureRate,
  HeadgateError,
  longRunning,
  missedSchedule,
  nodeLost,
  type PipelineSnapshot,
  pipelineRule,
  probeUnhealthy,
  queueBacklog,
  runFailed,
  runRetried,
  type Silence,
  type Snapshot,
  schedulerRule,
  sensorFailing,
  slaAtRisk,
  slaMissed,
  staleData,
} from "../../src/index.js";
import { deliveriesOf, merged, notificationOf } from "../../src/monitor/notification.js";
import { RunWindow } from "../../src/monitor/statistics.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = Date.parse("2026-03-02T00:00:00Z");
const EMPTY = new RunWindow({ lengthMs: 24 * HOUR, timings: 10 }).at(T0);
const quiet: PipelineSnapshot = {
  id: "sales",
  tags: ["production"],
  alertOn: ["failure", "sla_miss", "retry"],
  slaMs: HOUR,
  isPaused: false,
  isInMaintenance: false,
  nextFireAt: T0 + HOUR,
  lastSuccessAt: T0,
  activeRuns: [],
  waiting: 0,
  oldestWaitingAt: null,
  oldestFireTimeAt: null,
  oldestPendingFireTimeAt: null,
  statistics: EMPTY,
};
const node = {
  node: "n1",
  seenAt: T0,
  isLost: false,
  clockAheadMs: 0,
  cpu: 0.1,
  memory: 0.1,
  activeRuns: 0,
  failingSensors: [],
  failingProbes: [],
};
const snapshot = (pipeline: Partial<PipelineSnapshot> = {}, rest: Partial<Snapshot> = {}): Snapshot => ({
  now: T0,
  pipelines: [{ ...quiet, ...pipeline }],
  nodes: [node],
  queue: { length: 0, oldestAt: null },
  silences: [],
  ...rest,
});
const statistics = (rest: object) => ({ statistics: { ...EMPTY, ...rest } });
const messages = (rule: AlertRule, seen: Snapshot) => evaluateAlerts([rule], seen, [], seen.now).alerts.map(({ message }) => message);
const running = (minutes: number, scheduledFor: number | null = null) => [{ id: "r", startedAt: T0 - minutes * MINUTE, scheduledFor }];
const usual = { duration: { count: 20, mean: 1, p50: MINUTE, p95: 10 * MINUTE, max: 1 } };
const runs = { succeeded: 7, failed: 2, timedOut: 1, cancelled: 0 };

describe("each rule is quiet when all is well, and says what is wrong", () => {
  it.each<[string, AlertRule, Snapshot, Snapshot, RegExp]>([
    [
      "missed schedule",
      missedSchedule(),
      snapshot({ nextFireAt: T0 - 5 * MINUTE }),
      snapshot({ nextFireAt: T0 - 6 * MINUTE }),
      /is 6m late/,
    ],
    [
      "missed, waiting",
      missedSchedule(),
      snapshot({ oldestFireTimeAt: T0 - HOUR }),
      snapshot({ oldestPendingFireTimeAt: T0 - HOUR }),
      /is 1h late/,
    ],
    [
      "missed, paused",
      missedSchedule(),
      snapshot({ nextFireAt: 0, isPaused: true }),
      snapshot(statistics({ lastMissedAt: new Date(T0 - MINUTE), missed: 3 })),
      /3 fire times were dropped/,
    ],
    [
      "long running, fixed",
      longRunning({ limit: "30m" }),
      snapshot({ activeRuns: running(30) }),
      snapshot({ activeRuns: running(31) }),
      /active for 31m, over 30m/,
    ],
    [
      "long running, usual",
      longRunning(),
      snapshot({ activeRuns: running(30), ...statistics(usual) }),
      snapshot({ activeRuns: running(31), ...statistics(usual) }),
      /3 times its p95, 30m/,
    ],
    [
      "long running, unknown",
      longRunning(),
      snapshot({ activeRuns: running(999) }),
      snapshot({ activeRuns: running(99), ...statistics(usual) }),
      /1h 39m/,
    ],
    [
      "SLA missed",
      slaMissed(),
      snapshot({ activeRuns: running(60, T0 - HOUR) }),
      snapshot({ activeRuns: running(59, T0 - HOUR - 1) }),
      /the SLA of 1h was missed/,
    ],
    [
      "SLA missed, waiting",
      slaMissed(),
      snapshot({ oldestFireTimeAt: T0 - HOUR }),
      snapshot({ oldestFireTimeAt: T0 - 2 * HOUR }),
      /is 2h old/,
    ],
    [
      "SLA at risk",
      slaAtRisk(),
      snapshot({ activeRuns: running(1, T0 - 2 * HOUR) }),
      snapshot({ activeRuns: running(1, T0 - 50 * MINUTE) }),
      /is at risk/,
    ],
    ["no SLA", slaMissed(), snapshot({ slaMs: null, oldestFireTimeAt: 0 }), snapshot({ oldestFireTimeAt: 0 }), /SLA/],
    [
      "failed",
      runFailed(),
      snapshot(),
      snapshot(statistics({ consecutiveFailures: 1, lastFailureAt: new Date(T0) })),
      /the last run failed, at 2026/,
    ],
    [
      "failed, not asked for",
      runFailed(),
      snapshot({ alertOn: [], ...statistics({ consecutiveFailures: 9 }) }),
      snapshot(statistics({ consecutiveFailures: 2 })),
      /last 2 runs failed/,
    ],
    ["retried", runRetried(), snapshot(), snapshot(statistics({ retries: 2 })), /2 attempts were repeated/],
    [
      "failure rate",
      failureRate({ above: 0.3 }),
      snapshot(statistics({ runs, failureRate: 0.3 })),
      snapshot(statistics({ runs, failureRate: 0.31 })),
      /31 % of 10 runs failed/,
    ],
    [
      "few runs",
      failureRate(),
      snapshot(statistics({ runs: { ...runs, succeeded: 1 }, failureRate: 0.75 })),
      snapshot(statistics({ runs, failureRate: 0.75 })),
      /75 %/,
    ],
    [
      "in a row",
      consecutiveFailures(),
      snapshot(statistics({ consecutiveFailures: 2 })),
      snapshot(statistics({ consecutiveFailures: 3 })),
      /3 runs in a row/,
    ],
    [
      "stale",
      staleData({ olderThan: "1h" }),
      snapshot({ lastSuccessAt: T0 - HOUR }),
      snapshot({ lastSuccessAt: T0 - 2 * HOUR }),
      /is 2h old, over 1h/,
    ],
    [
      "backlog",
      queueBacklog({ length: 5 }),
      snapshot({}, { queue: { length: 5, oldestAt: T0 - HOUR } }),
      snapshot({}, { queue: { length: 6, oldestAt: T0 } }),
      /6 triggers wait/,
    ],
    [
      "age",
      queueBacklog(),
      snapshot({}, { queue: { length: 1, oldestAt: T0 - HOUR } }),
      snapshot({}, { queue: { length: 1, oldestAt: T0 - 2 * HOUR } }),
      /waited for 2h/,
    ],
    [
      "probe",
      probeUnhealthy(),
      snapshot({}, { nodes: [{ ...node, failingProbes: [{ probe: "db", failures: 2, error: "x" }] }] }),
      snapshot({}, { nodes: [{ ...node, failingProbes: [{ probe: "db", failures: 3, error: "refused" }] }] }),
      /db failed 3 times in a row: refused/,
    ],
    [
      "sensor",
      sensorFailing(),
      snapshot(),
      snapshot({}, { nodes: [{ ...node, failingSensors: [{ pipelineId: "p", sensor: "s", failures: 3, error: null }] }] }),
      /sensor s of p failed 3/,
    ],
    [
      "skew",
      clockSkew(),
      snapshot({}, { nodes: [{ ...node, clockAheadMs: -5_000 }] }),
      snapshot({}, { nodes: [{ ...node, clockAheadMs: -6_000 }] }),
      /6s behind/,
    ],
    [
      "node",
      nodeLost(),
      snapshot(),
      snapshot({}, { nodes: [{ ...node, isLost: true, seenAt: T0 - 2 * MINUTE }] }),
      /node n1 has been silent for 2m/,
    ],
  ])("%s", (_, rule, good, bad, words) => {
    expect(messages(rule, good)).toEqual([]);
    expect(messages(rule, bad)).toEqual([expect.stringMatching(words)]);
  });

  it("only of the pipelines that it is for", () => {
    const always = (options: object) => pipelineRule("own", () => ({ message: "x" }), options);
    expect(messages(always({ pipelines: ["other"] }), snapshot())).toEqual([]);
    expect(messages(always({ tags: ["production"] }), snapshot())).toEqual(["x"]);
    expect(messages(always({ pipelines: ["sales"], tags: ["nothing"] }), snapshot())).toEqual(["x"]);
  });

  it("and says what is wrong with its options", () => {
    expect(() => pipelineRule("", () => null)).toThrow(HeadgateError);
    expect(() => runFailed({ severity: "bad" as never })).toThrow(/info, warning, critical/);
    expect(() => nodeLost({ for: "soon" })).toThrow(/for/);
  });
});

describe("an alert", () => {
  /** Plays a condition that is so or not, minute by minute. */
  function play(
    rule: (isSo: () => boolean) => AlertRule,
    states: readonly boolean[],
    silences: readonly Silence[] = [],
    maintenance: readonly number[] = [],
  ) {
    let isSo = false;
    const one = rule(() => isSo);
    let alerts: readonly AlertState[] = [];
    const told: string[] = [];
    for (const [minute, state] of states.entries()) {
      isSo = state;
      const now = T0 + minute * MINUTE;
      const result = evaluateAlerts([one], snapshot({ isInMaintenance: maintenance.includes(minute) }, { now, silences }), alerts, now);
      alerts = JSON.parse(JSON.stringify(result.alerts));
      told.push(...result.transitions.map(({ kind }) => `${minute} ${kind}`));
    }
    return told;
  }
  const own = (options: object) => (isSo: () => boolean) => pipelineRule("own", () => (isSo() ? { message: "so" } : null), options);
  const [yes, no] = [true, false];
  const silence = (from: number, until: number, rest: Partial<Silence> = {}): Silence => ({
    id: "s1",
    pipelineId: null,
    rule: null,
    tag: null,
    from: T0 + from * MINUTE,
    until: T0 + until * MINUTE,
    reason: null,
    user: null,
    ...rest,
  });

  it("fires once, and is resolved once", () => {
    expect(play(own({}), [no, yes, yes, yes, no, no, yes])).toEqual(["1 fired", "4 resolved", "6 fired"]);
  });

  it("fires only after it has been so for as long as it must", () => {
    expect(play(own({ for: "2m" }), [yes, yes, no, yes, yes, yes, yes, no])).toEqual(["5 fired", "7 resolved"]);
  });

  it("is told again as often as its rule says", () => {
    expect(play(own({ repeatEvery: "2m" }), [yes, yes, yes, yes, yes, no])).toEqual(["0 fired", "2 repeated", "4 repeated", "5 resolved"]);
  });

  it("is not told while it is silenced, and then if it still fires", () => {
    expect(play(own({}), [yes, yes, yes, yes, no], [silence(0, 2)])).toEqual(["2 fired", "4 resolved"]);
    expect(play(own({}), [yes, yes, no, no], [silence(0, 3)])).toEqual([]);
    expect(
      play(own({}), [yes, yes], [silence(0, 9, { pipelineId: "other" }), silence(0, 9, { tag: "x" }), silence(0, 9, { rule: "x" })]),
    ).toEqual(["0 fired"]);
    expect(play(own({}), [yes, yes], [silence(0, 9, { pipelineId: "sales", rule: "own", tag: "production" })])).toEqual([]);
  });

  it("is not told in a maintenance window of its pipeline", () => {
    expect(play(own({}), [yes, yes, yes, no], [], [0, 1])).toEqual(["2 fired", "3 resolved"]);
  });

  it("of a sensor is that of its pipeline: silences by pipeline and tag, and maintenance windows, apply", () => {
    const failing = { nodes: [{ ...node, failingSensors: [{ pipelineId: "sales", sensor: "files", failures: 3, error: "gone" }] }] };
    const told = (rest: Partial<Snapshot> = {}, pipeline: Partial<PipelineSnapshot> = {}) =>
      evaluateAlerts([sensorFailing()], snapshot(pipeline, { ...failing, ...rest }), [], T0).transitions.map(({ alert }) => alert);
    expect(told()).toMatchObject([{ pipelineId: "sales", tags: ["production"] }]);
    expect(told({ silences: [silence(0, 1, { pipelineId: "other" })] }).length).toBe(1);
    expect(told({ silences: [silence(0, 1, { pipelineId: "sales" })] })).toEqual([]);
    expect(told({ silences: [silence(0, 1, { tag: "production" })] })).toEqual([]);
    expect(told({}, { isInMaintenance: true })).toEqual([]);
    expect(told({}, { id: "others" })).toMatchObject([{ pipelineId: null }]); // the node says it of a pipeline that this one does not know
  });

  it("stands while its rule throws, and the other rules go on", () => {
    let isBroken = false;
    const rules = [
      pipelineRule("own", () => {
        if (isBroken) throw new Error("a bad rule");
        return { message: "so" };
      }),
      schedulerRule("other", () => [
        { message: "a", key: "1" },
        { message: "b", key: "2" },
      ]),
    ];
    const first = evaluateAlerts(rules, snapshot(), [], T0);
    expect(first.transitions.map(({ alert }) => alert.id)).toEqual(["own|sales|", "other||1", "other||2"]);
    isBroken = true;
    const second = evaluateAlerts(rules, snapshot(), first.alerts, T0 + 1);
    expect(second.transitions).toEqual([]);
    expect(second.alerts.length).toBe(3);
    expect(second.problems).toMatchObject([{ rule: "own" }]);
  });

  it("is told as fired before it is resolved, never twice in a row, whatever happens", () => {
    const options = fc.record({ for: fc.integer({ min: 0, max: 3 }), repeat: fc.option(fc.integer({ min: 1, max: 3 })) });
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 40 }),
        options,
        fc.array(fc.integer({ min: 0, max: 40 })),
        (states, { for: minutes, repeat }, maintenance) => {
          const rule = own({ for: minutes * MINUTE, repeatEvery: repeat === null ? null : repeat * MINUTE });
          let isTold = false;
          for (const line of play(rule, states, [], maintenance)) {
            const [minute, kind] = line.split(" ");
            expect(kind === "fired").toBe(!isTold);
            isTold = kind !== "resolved";
            if (kind !== "resolved") expect(maintenance).not.toContain(Number(minute));
            expect(states[Number(minute)]).toBe(kind !== "resolved");
          }
        },
      ),
    );
  });
});

describe("what is delivered", () => {
  const alert = (rule: string, pipelineId: string | null, severity: AlertState["severity"] = "warning", tags: string[] = []) => ({
    kind: "fired" as const,
    at: T0,
    alert: { id: `${rule}|${pipelineId}|`, rule, pipelineId, severity, tags, message: "is so" } as unknown as AlertState,
  });
  let id = 0;
  const routed = (routes: Parameters<typeof deliveriesOf>[1], ...transitions: ReturnType<typeof alert>[]) =>
    deliveriesOf(transitions, routes, () => `d${id++}`, T0).map(({ channel, transitions: some }) => [
      channel,
      some.map(({ alert: one }) => one.id).join(" "),
    ]);

  it("goes by severity, pipeline, tag and rule, to the first route that matches unless that says to go on", () => {
    const routes = [
      { channels: ["pager"], severities: ["critical" as const], continue: true },
      { channels: ["sales-mail"], pipelines: ["sales"] },
      { channels: ["prod"], tags: ["production"], rules: ["slow"] },
      { channels: ["rest"] },
    ];
    expect(routed(routes, alert("r", "sales", "critical"))).toEqual([
      ["pager", "r|sales|"],
      ["sales-mail", "r|sales|"],
    ]);
    expect(routed(routes, alert("slow", "x", "info", ["production"]))).toEqual([["prod", "slow|x|"]]);
    expect(routed(routes, alert("other", "x", "info", ["production"]), alert("node_lost", null))).toEqual([
      ["rest", "other|x|"],
      ["rest", "node_lost|null|"],
    ]);
  });

  it("is grouped by rule, by pipeline, all together, or not at all", () => {
    const some = [alert("a", "x"), alert("a", "y"), alert("b", "x")];
    const by = (groupBy: "rule" | "pipeline" | "all" | "none") => routed([{ channels: ["c"], groupBy }], ...some).map(([, ids]) => ids);
    expect(by("rule")).toEqual(["a|x| a|y|", "b|x|"]);
    expect(by("pipeline")).toEqual(["a|x| b|x|", "a|y|"]);
    expect(by("all")).toEqual(["a|x| a|y| b|x|"]);
    expect(by("none")).toEqual(["a|x|", "a|y|", "b|x|"]);
  });

  it("says the worst of it first", () => {
    const [one, two] = deliveriesOf([alert("a", "x"), alert("b", "y", "critical")], [{ channels: ["c"] }], () => `d${id++}`, T0);
    const all = notificationOf(merged([one as never, two as never]));
    expect(all).toMatchObject({
      severity: "critical",
      subject: "[headgate] 2 alerts: a, b (x, y)",
      text: "WARNING a x: is so\n  at 2026-03-02T00:00:00Z\nCRITICAL b y: is so\n  at 2026-03-02T00:00:00Z",
    });
    expect(notificationOf(one as never).subject).toBe("[headgate] WARNING a x: is so");
  });
});
