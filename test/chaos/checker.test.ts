import { describe, expect, it } from "vitest";
import type { DecisionRecord, RunRecord, TriggerKind, TriggerRecord } from "../../src/index.js";
import { endAttempt, startAttempt, startRun } from "../../src/run/transitions.js";
import { acceptTrigger, endTrigger, startTrigger } from "../../src/trigger/transitions.js";
import { check } from "./checker/check.js";
import type { Evidence, FaultWindow, StoreRecords } from "./evidence.js";
import type { Life } from "./fleet.js";
import type { Line } from "./log.js";
import type { PipelineSpec } from "./pipelines.js";

const T0 = 1_800_000_000_000;
const SOON = { retries: 2, maxActiveRuns: 1, pool: null };
const TICK: PipelineSpec = { id: "tick", stepMs: 1_000, execution: SOON, takesMs: [100, 100] };
const NEXT: PipelineSpec = { id: "next", stepMs: null, after: "tick", execution: SOON, takesMs: [10, 10] };
const POOLED: PipelineSpec = { id: "pooled", stepMs: null, execution: { ...SOON, maxActiveRuns: 9, pool: "pair" }, takesMs: [10, 10] };
const QUEUED: PipelineSpec = { id: "queued", stepMs: null, isQueued: true, execution: SOON, takesMs: [10, 10] };

/** An epoch that is written by hand. */
class World {
  readonly lines: Line[] = [];
  readonly triggers: TriggerRecord[] = [];
  readonly runs: RunRecord[] = [];
  readonly decisions: DecisionRecord[] = [];
  readonly faults: FaultWindow[] = [];
  readonly lives: Life[] = ["a", "b"].map((node, slot) => ({
    node,
    slot,
    role: "node" as const,
    from: T0 - 900,
    upAt: T0 + 100,
    stoppingAt: null,
    until: null,
    end: null,
    exit: null,
  }));
  readonly requests: Evidence["requests"][number][] = [];
  nextFireAt = T0 + 6_000;
  hasServerClock = true;
  auditProblem: string | null = null;
  confirmed: string | null = null;

  add(...lines: readonly (Line extends infer L ? (L extends Line ? Omit<L, "node"> & { node?: string } : never) : never)[]): this {
    for (const line of lines) this.lines.push({ node: "a", ...line } as Line);
    return this;
  }

  trigger(pipelineId: string, at: number, kind: TriggerKind, key: string | null = null, id = `t-${pipelineId}-${at - T0}`): TriggerRecord {
    const scheduledFor = kind === "scheduled" ? at : null;
    const common = {
      priority: "normal",
      reason: null,
      user: null,
      requestedBy: null,
      parameters: null,
      size: 0,
      notBefore: null,
      isForced: false,
    } as const;
    const trigger = acceptTrigger({ id, pipelineId, kind, scheduledFor, key, ...common }, at);
    this.triggers.push(trigger);
    return trigger;
  }

  /** A run that begins at once, takes 100 ms and succeeds; the log agrees. */
  run(trigger: TriggerRecord, node = "a", lengthMs = 100): RunRecord {
    const at = trigger.createdAt;
    const run = `r-${trigger.id}`;
    const { pipelineId: pipeline } = trigger;
    const record = endAttempt(
      startRun(run, trigger, node, at + 2_000, at),
      { outcome: "succeeded", error: null, output: null, retryAt: null },
      at + lengthMs,
    );
    this.runs.push(record);
    this.#replace({ ...trigger, ...endTrigger({ ...trigger, ...startTrigger(trigger, run) }, "succeeded", null, at + lengthMs) });
    this.decision(trigger, "run");
    this.add(
      { line: "lease", at, node, run, token: 1, until: at + 2_000 },
      { line: "begin", at: at + 1, node, run, pipeline, trigger: trigger.id, attempt: 1, scheduledFor: trigger.scheduledFor },
      { line: "end", at: at + lengthMs - 1, node, run, pipeline, attempt: 1, outcome: "ok" },
      { line: "finish", at: at + lengthMs, node, run, token: 1, outcome: "succeeded", isLoss: false, isAccepted: true, isRepeated: false },
    );
    return record;
  }

  decision(
    { id, pipelineId, kind, scheduledFor, createdAt }: TriggerRecord,
    outcome: DecisionRecord["outcome"],
    triggerId: string | null = id,
  ): void {
    this.decisions.push({
      id: `d-${id}`,
      pipelineId,
      triggerId,
      kind,
      scheduledFor,
      at: createdAt,
      outcome,
      reason: "",
      findings: [],
      missed: null,
    });
  }

  #replace(trigger: TriggerRecord): void {
    this.triggers[this.triggers.findIndex(({ id }) => id === trigger.id)] = trigger;
  }

  fault(some: Partial<FaultWindow>): this {
    const { length: round } = this.faults;
    this.faults.push({
      round,
      name: "kill",
      family: "process",
      nodes: [],
      isForAll: false,
      size: 0,
      from: T0,
      until: T0 + 1_000,
      aftermathMs: 0,
      ...some,
    });
    return this;
  }

  /** The node of slot 0 is killed. */
  kill(at: number): this {
    Object.assign(this.lives[0] as Life, { until: at, end: "killed", exit: "SIGKILL" });
    return this;
  }

  /** An attempt that begins, and whose lease ends with it. */
  begin(run: string, at: number, { node = "a", pipeline = "pooled", attempt = 1 } = {}): this {
    return this.add(
      { line: "lease", at, node, run, token: attempt, until: at + 2_000 },
      { line: "begin", at, node, run, pipeline, trigger: `t-${run}`, attempt, scheduledFor: null },
    );
  }

  evidence(until = T0 + 6_500): Evidence {
    const store: StoreRecords = {
      triggers: this.triggers,
      runs: this.runs,
      decisions: this.decisions,
      nextFireAt: new Map([["tick", this.nextFireAt]]),
      settings: new Map([["pause of halted", "second"]]),
      auditProblem: this.auditProblem,
    };
    return {
      pipelines: [TICK, NEXT, POOLED, QUEUED],
      pools: { pair: 2 },
      globalLimit: 5,
      leaseMs: 2_000,
      hasServerClock: this.hasServerClock,
      from: T0,
      until,
      workingUntil: until,
      lines: this.lines.toSorted((one, other) => one.at - other.at),
      faults: this.faults,
      lives: this.lives,
      stalls: [],
      requests: this.requests,
      settings: [{ name: "pause of halted", confirmed: this.confirmed, possible: [] }],
      store,
    };
  }
}

/** Five fire times, each with a run and what follows it, and a request that was accepted. */
function soundWorld(): World {
  const world = new World();
  for (let at = T0 + 1_000; at <= T0 + 5_000; at += 1_000) {
    const run = world.run(world.trigger("tick", at, "scheduled"));
    world.add({ line: "fired", at, pipeline: "tick", fires: [at] });
    world.run(world.trigger("next", at + 100, "dependency", `run:${run.id}`), "b");
  }
  const asked = world.trigger("pooled", T0 + 2_500, "manual", "key-1");
  world.run(asked);
  world.requests.push({ pipeline: "pooled", key: "key-1", sentAt: T0 + 2_490, acceptedAt: T0 + 2_510, ids: [asked.id] });
  return world;
}

/** Node b closes an attempt of run r-1 whose node was silent. */
const closedByAnother = (at: number) =>
  ({
    line: "finish",
    at,
    node: "b",
    run: "r-1",
    token: 1,
    outcome: "lost",
    isLoss: true,
    isAccepted: true,
    isRepeated: false,
  }) as const;

const found = (world: World, until?: number) => [...new Set(check(world.evidence(until)).map(({ invariant }) => invariant))];

describe("the checker", () => {
  it("finds nothing in a sound epoch", () => {
    expect(check(soundWorld().evidence())).toEqual([]);
  });

  const cases: readonly (readonly [what: string, invariant: string, broken: (world: World) => unknown])[] = [
    [
      "a fire time without an outcome",
      "every fire time ends in exactly one recorded outcome",
      (world) =>
        world.triggers.splice(
          world.triggers.findIndex(({ scheduledFor }) => scheduledFor === T0 + 3_000),
          1,
        ),
    ],
    [
      "a fire time with two",
      "every fire time ends in exactly one recorded outcome",
      (world) => world.decision(world.trigger("tick", T0 + 3_000, "scheduled", null, "again"), "skip", null),
    ],
    [
      "a trigger at an instant that is no fire time",
      "every fire time ends in exactly one recorded outcome",
      (world) => world.trigger("tick", T0 + 3_001, "scheduled"),
    ],
    [
      "fire times that are passed over because the next one lies far ahead",
      "every fire time ends in exactly one recorded outcome",
      (world) => Object.assign(world, { nextFireAt: T0 + 60_000 }),
    ],
    [
      "fire times before the first one that was made, though a node was up",
      "every fire time ends in exactly one recorded outcome",
      (world) => Object.assign(world.lives[1] as Life, { upAt: T0 - 5_000 }),
    ],
    [
      "a fire time behind the next one",
      "every fire time ends in exactly one recorded outcome",
      (world) => Object.assign(world, { nextFireAt: T0 + 5_000 }),
    ],
    [
      "a fire time made before its time",
      "no fire time is made before its time",
      (world) => world.add({ line: "fired", at: T0 + 100, pipeline: "tick", fires: [T0 + 1_000] }),
    ],
    [
      "an accepted trigger that is gone",
      "an accepted trigger is never lost: it ends",
      (world) => world.requests.push({ pipeline: "pooled", key: null, sentAt: T0, acceptedAt: T0, ids: ["gone"] }),
    ],
    [
      "an accepted trigger that waits for ever",
      "an accepted trigger is never lost: it ends",
      (world) =>
        world.requests.push({
          pipeline: "pooled",
          key: null,
          sentAt: T0,
          acceptedAt: T0,
          ids: [world.trigger("pooled", T0 + 300, "manual").id],
        }),
    ],
    [
      "a key that has two triggers",
      "a trigger under an idempotency key is accepted once",
      (world) => world.run(world.trigger("pooled", T0 + 3_500, "manual", "key-1")),
    ],
    [
      "a key that was answered in two ways",
      "a trigger under an idempotency key is accepted once",
      (world) => world.requests[0]?.ids.push("another"),
    ],
    [
      "a request that is never accepted",
      "a request is accepted when everything works again",
      (world) => world.requests.push({ pipeline: "pooled", key: "key-2", sentAt: T0, acceptedAt: null, ids: [] }),
    ],
    [
      "a success that nothing follows",
      "each success triggers what follows once",
      (world) =>
        world.triggers.splice(
          world.triggers.findIndex(({ kind }) => kind === "dependency"),
          1,
        ),
    ],
    [
      "a second that a sensor did not find",
      "what a sensor finds becomes one trigger, nothing is lost",
      (world) => [1, 3].map((n) => world.trigger("sensed", T0 + n, "sensor", `seconds:${T0 / 1_000 + n}`)),
    ],
    [
      "a second that a sensor found twice",
      "what a sensor finds becomes one trigger, nothing is lost",
      (world) => [1, 2].map((n) => world.trigger("sensed", T0 + n, "sensor", `${n}:${T0 / 1_000}`)),
    ],
    ["a confirmed setting that is gone", "what is changed at run time is kept", (world) => Object.assign(world, { confirmed: "first" })],
    [
      "an audit log that was changed",
      "the audit log is intact",
      (world) => Object.assign(world, { auditProblem: "record 3: it has another hash" }),
    ],
    [
      "an attempt that begins on two nodes",
      "an attempt begins at most once",
      (world) => world.begin("r-1", T0 + 500).begin("r-1", T0 + 600, { node: "b" }),
    ],
    [
      "an attempt that is closed twice",
      "a result of an attempt that is closed is refused",
      (world) =>
        world.add({
          line: "finish",
          at: T0 + 1_900,
          run: "r-t-tick-1000",
          token: 1,
          outcome: "failed",
          isLoss: false,
          isAccepted: true,
          isRepeated: false,
        }),
    ],
    [
      "a late result that is accepted",
      "a result of an attempt that is closed is refused",
      (world) =>
        world
          .begin("r-1", T0)
          .begin("r-1", T0 + 100, { attempt: 2 })
          .add({
            line: "finish",
            at: T0 + 1_500,
            run: "r-1",
            token: 1,
            outcome: "failed",
            isLoss: false,
            isAccepted: true,
            isRepeated: false,
          }),
    ],
    [
      "a run that succeeds twice",
      "a run succeeds at most once",
      (world) =>
        world.add({
          line: "finish",
          at: T0 + 1_900,
          run: "r-t-tick-1000",
          token: 2,
          outcome: "succeeded",
          isLoss: false,
          isAccepted: true,
          isRepeated: false,
        }),
    ],
    [
      "a job that two workers execute at once",
      "a queue never executes a run twice at the same time",
      (world) => world.begin("q-1", T0, { pipeline: "queued" }).begin("q-1", T0 + 10, { node: "b", pipeline: "queued" }),
    ],
    [
      "a run with more attempts than its policy allows",
      "a run has no more attempts than its retry policy allows",
      (world) => Object.assign(world.runs[0] as RunRecord, { attempt: 4 }),
    ],
    [
      "a trigger that succeeded and whose run did not",
      "a trigger has one run, and the two agree",
      (world) => Object.assign(world.runs[0] as RunRecord, { status: "failed" }),
    ],
    [
      "a trigger with two runs",
      "a trigger has one run, and the two agree",
      (world) => world.runs.push({ ...(world.runs[0] as RunRecord), id: "another" }),
    ],
    [
      "more runs than `maxActiveRuns`",
      "limits hold for what really runs under a valid lease",
      (world) => world.begin("r-1", T0 + 200, { pipeline: "next" }).begin("r-2", T0 + 300, { pipeline: "next", node: "b" }),
    ],
    [
      "more runs than a pool has slots",
      "limits hold for what really runs under a valid lease",
      (world) => ["r-1", "r-2", "r-3"].map((run) => world.begin(run, T0 + 200)),
    ],
    [
      "more runs than the scheduler may have",
      "limits hold for what really runs under a valid lease",
      (world) => Array.from({ length: 6 }, (_, n) => world.begin(`r-${n}`, T0 + 200, { pipeline: ["tick", "next"][n % 2] ?? "" })),
    ],
    [
      "records of more active runs than `maxActiveRuns`",
      "limits hold for what is recorded",
      (world) => Object.assign(world.runs[0] as RunRecord, { endedAt: T0 + 2_050 }),
    ],
    [
      "a run of a healthy node that another one closes",
      "no run of a healthy node is taken over",
      (world) => world.begin("r-1", T0 + 400).add(closedByAnother(T0 + 2_500)),
    ],
    [
      "a success that was confirmed and is recorded as a failure",
      "no result is thrown away: what succeeded is recorded, or its refusal is reported",
      (world) => Object.assign(world.runs[0] as RunRecord, { status: "failed" }),
    ],
    [
      "nodes that stand still while another one is struck",
      "healthy nodes go on within lease + 2 s while others are struck",
      (world) => world.fault({ name: "stop and continue", nodes: ["a"], from: T0 + 5_300, until: T0 + 6_000 }),
    ],
    [
      "a process that dies by itself",
      "no process dies by itself",
      (world) => Object.assign(world.lives[1] as Life, { until: T0 + 6_000, end: "died", exit: "1" }),
    ],
    [
      "an exception that nobody caught",
      "no process dies by itself",
      (world) => world.add({ line: "uncaught", at: T0, text: "unhandledRejection" }),
    ],
  ];
  it.each(cases)("finds %s", (_, invariant, broken) => {
    const world = soundWorld();
    broken(world);
    expect(found(world, T0 + 6_500 + (invariant.startsWith("healthy") ? 4_000 : 0))).toContain(invariant);
  });

  it("lets an end be confirmed late that was sent again, as the first answer was lost", () => {
    const finish = { line: "finish", at: T0 + 1_500, run: "r-1", token: 1, outcome: "failed", isLoss: false, isAccepted: true } as const;
    const late = (isRepeated: boolean) =>
      soundWorld()
        .begin("r-1", T0)
        .begin("r-1", T0 + 100, { attempt: 2 })
        .add({ ...finish, isRepeated });
    expect(found(late(false))).toContain("a result of an attempt that is closed is refused");
    expect(found(late(true))).not.toContain("a result of an attempt that is closed is refused");
  });

  it("finds a success that was neither recorded nor refused aloud, if its node lived on", () => {
    const invariant = "no result is thrown away: what succeeded is recorded, or its refusal is reported";
    const thrownAway = () => {
      const world = soundWorld().begin("r-1", T0 + 200);
      world.add({ line: "end", at: T0 + 400, run: "r-1", pipeline: "pooled", attempt: 1, outcome: "ok" });
      return world;
    };
    expect(found(thrownAway(), T0 + 20_000)).toContain(invariant);
    expect(found(thrownAway().kill(T0 + 500), T0 + 20_000)).not.toContain(invariant);
    const cutOff = thrownAway().fault({ name: "silence", nodes: ["a"], until: T0 + 15_000 });
    expect(found(cutOff, T0 + 20_000)).not.toContain(invariant);
    expect(found(cutOff, T0 + 30_000)).toContain(invariant);
    const refused = thrownAway().add({ line: "event", at: T0 + 500, name: "run.late_result", run: "r-1", attempt: 1, text: null });
    expect(found(refused, T0 + 20_000)).not.toContain(invariant);
  });

  it("finds an attempt of a dead node that is closed late, or never, though another node was healthy", () => {
    const invariant = "an attempt whose node died is closed within its lease and 3 s";
    const lost = () => {
      const world = soundWorld()
        .begin("r-1", T0 + 5_500)
        .kill(T0 + 5_600);
      world.runs.push(startRun("r-1", world.trigger("pooled", T0 + 5_500, "manual"), "a", T0 + 7_500, T0 + 5_500));
      return world;
    };
    const closed = (at: number) => lost().add(closedByAnother(at));
    expect(found(lost(), T0 + 12_000)).toContain(invariant);
    expect(found(closed(T0 + 11_500), T0 + 12_000)).toContain(invariant);
    expect(found(closed(T0 + 8_500), T0 + 12_000)).not.toContain(invariant);
    expect(found(lost().fault({ isForAll: true, from: T0 + 7_000, until: T0 + 11_000 }), T0 + 12_000)).not.toContain(invariant);
  });

  it("finds a schedule that fires no more while the nodes work", () => {
    expect(found(soundWorld(), T0 + 20_000)).toContain("every fire time ends in exactly one recorded outcome");
  });

  it("does not blame nodes on one file for fire times that their only clock asked for", () => {
    const world = soundWorld();
    world.hasServerClock = false;
    world.add({ line: "fired", at: T0 + 100, pipeline: "tick", fires: [T0 + 1_000] });
    expect(found(world)).toContain("no fire time is made before its time");
    expect(found(world.fault({ family: "clock", isForAll: true, size: 30_000 }))).not.toContain("no fire time is made before its time");
  });

  it("does not compare what nodes on one file recorded while their only clock was ahead", () => {
    const invariant = "limits hold for what is recorded";
    const world = soundWorld();
    Object.assign(world.runs[0] as RunRecord, { endedAt: T0 + 2_050 });
    world.fault({ family: "clock", isForAll: true, size: 30_000, from: T0 - 29_000, until: T0 - 28_000 });
    expect(found(world)).toContain(invariant);
    world.hasServerClock = false;
    expect(found(world)).not.toContain(invariant);
    world.faults.splice(0);
    expect(found(world)).toContain(invariant);
  });

  it("takes up a lease where a second attempt begins", () => {
    const world = soundWorld();
    const trigger = world.trigger("pooled", T0 + 3_200, "manual");
    const first = startRun("r-1", trigger, "a", T0 + 5_200, T0 + 3_200);
    const retrying = endAttempt(first, { outcome: "failed", error: null, output: null, retryAt: T0 + 3_400 }, T0 + 3_300);
    world.runs.push(
      endAttempt(
        startAttempt(retrying, "b", T0 + 5_400, T0 + 3_400),
        { outcome: "succeeded", error: null, output: null, retryAt: null },
        T0 + 3_500,
      ),
    );
    expect(world.runs.at(-1)).toMatchObject({ attempt: 2, token: 2 });
    world.begin("r-1", T0 + 3_201).begin("r-1", T0 + 3_401, { node: "b", attempt: 2 });
    expect(found(world)).not.toContain("an attempt begins at most once");
  });
});
