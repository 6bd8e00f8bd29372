import { setTimeout as wait } from "node:timers/promises";
import { check } from "./checker/check.js";
import { type Environment, environment } from "./environment.js";
import { type Evidence, type FaultWindow, type StoreRecords, stalledMs, type Violation } from "./evidence.js";
import { STOPPING_MS } from "./faults/process.js";
import { STARTING_MS } from "./fleet.js";
import { type Line, LogReader } from "./log.js";
import { GLOBAL_LIMIT, LEASE_MS, PIPELINES, POOLS } from "./pipelines.js";
import type { PlannedFault, RoundPlan } from "./plan.js";
import { Random } from "./random.js";
import type { PostgresServer } from "./servers.js";
import type { StallMeter } from "./stalls.js";
import { isSettled, onStore, readStore } from "./store-records.js";
import { Workload } from "./workload.js";

/** How long after the last fault fire times may be late, ms; and how much longer one waits to see whether they ever recover. */
const RECOVERY_MS = 10_000;
const PATIENCE_MS = 45_000;
/** A fire time that begins no later than this is on time, ms. */
const ON_TIME_MS = 1_500;
/** How long accepted triggers may take to end once nothing is broken any more, ms. */
const DRAIN_MS = 90_000;
const ASKED_FOR = ["shared", "strict", "strict", "flaky", "long", "pooled", "tick", "queued"];

export interface EpochOptions {
  readonly seed: number;
  readonly epoch: number;
  readonly postgres: PostgresServer | null;
  readonly meter: StallMeter;
}

/** Rounds of faults on one store and its fleet. */
export class Epoch {
  readonly faults: FaultWindow[] = [];
  /** Faults that cannot happen on this machine, and why. */
  readonly unavailable = new Map<string, string>();
  readonly #environment: Environment;
  readonly #workload: Workload;
  readonly #reader: LogReader;
  readonly #meter: StallMeter;
  readonly #from = Date.now();
  readonly #extra: Violation[] = [];
  #store: StoreRecords | null = null;
  #stoppedAt: number | null = null;

  private constructor(where: Environment, meter: StallMeter, random: Random) {
    this.#environment = where;
    this.#meter = meter;
    this.#reader = new LogReader(where.log);
    const asked = ASKED_FOR.filter((id) => where.redis !== null || id !== "queued");
    this.#workload = new Workload(where.fleet, random, asked);
  }

  static async start(kind: RoundPlan["kind"], { seed, epoch, postgres, meter }: EpochOptions): Promise<Epoch> {
    const where = await environment(kind, epoch, postgres);
    const begun = new Epoch(where, meter, new Random(seed, -1 - epoch));
    await begun.#restore();
    begun.#workload.start();
    await begun.#recover("the start");
    return begun;
  }

  /** Injects the faults of a round, heals them, waits until work goes on as before, and checks what the log says. */
  async round(plan: RoundPlan): Promise<Violation[]> {
    for (const proxy of this.#environment.proxies) proxy.sweep();
    await Promise.all(plan.faults.map((planned) => this.#strike(plan.round, planned)));
    await this.#restore();
    await this.#recover(plan.faults.map(({ fault }) => fault.name).join(", "));
    return this.check();
  }

  /** Ends the work in order, reads the store, and checks everything. */
  async end(): Promise<Violation[]> {
    const { fleet, workers, storeUrl } = this.#environment;
    await this.#workload.finish();
    await onStore(storeUrl, async (store) => {
      const ids = new Set(this.#workload.requests.flatMap((request) => request.ids));
      for (const until = Date.now() + DRAIN_MS; Date.now() < until && !(await isSettled(store, ids, ON_TIME_MS)); ) await wait(250);
    });
    const slots = Array.from({ length: fleet.size }, (_, slot) => slot);
    const begin = Date.now();
    this.#stoppedAt = begin;
    const times = await Promise.all(slots.map((slot) => fleet.terminate(slot, STOPPING_MS + 10_000)));
    await workers?.terminate(0, STOPPING_MS);
    const longest = Math.max(...times);
    if (longest > STOPPING_MS + stalledMs(this.#meter, begin, Date.now()))
      this.#extra.push({
        invariant: "SIGTERM ends a node within its bound",
        message: `it took ${Math.round(longest)} ms`,
        ids: [],
        at: begin,
      });
    this.#store = await onStore(storeUrl, readStore);
    return this.check();
  }

  /** Everything known so far. */
  evidence(): Evidence {
    const { fleet, workers } = this.#environment;
    const hasQueue = workers !== null;
    return {
      pipelines: PIPELINES.filter(({ isQueued }) => isQueued !== true || hasQueue),
      pools: POOLS,
      globalLimit: GLOBAL_LIMIT,
      leaseMs: LEASE_MS,
      hasServerClock: this.#environment.postgres !== null,
      from: this.#from,
      until: Date.now(),
      workingUntil: this.#stoppedAt ?? Date.now(),
      lines: this.#reader.lines,
      faults: this.faults,
      lives: [...fleet.lives, ...(workers?.lives ?? [])],
      stalls: this.#meter.stalls,
      requests: this.#workload.requests,
      settings: this.#workload.settings,
      store: this.#store,
    };
  }

  async check(): Promise<Violation[]> {
    await this.#reader.look();
    return [...this.#extra, ...check(this.evidence())];
  }

  async close(): Promise<void> {
    await this.#workload.abandon();
    await this.#reader.close();
    await this.#environment.close();
  }

  async #strike(round: number, { fault, slots, holdMs, size, atMs }: PlannedFault): Promise<void> {
    const { fleet } = this.#environment;
    const reason = fault.unavailable?.(this.#environment) ?? null;
    if (reason !== null) return void this.unavailable.set(fault.name, reason);
    await wait(atMs);
    const window: FaultWindow = {
      round,
      name: fault.name,
      family: fault.family,
      nodes: slots.flatMap((slot) => fleet.nameOf(slot) ?? []),
      isForAll: fault.aim !== "none" && slots.length === fleet.size,
      size,
      from: Date.now(),
      until: Number.POSITIVE_INFINITY,
      aftermathMs: fault.aftermathMs,
    };
    this.faults.push(window);
    const heal = await fault.inject(this.#environment, { slots, holdMs, size });
    if (fault.strikesAll?.(this.#environment, { slots, holdMs, size }) === true) {
      window.isForAll = true;
      window.name += ", holding the write lock";
    }
    await wait(holdMs);
    await heal();
    window.until = Date.now();
  }

  /** Has a process in every slot again. */
  async #restore(): Promise<void> {
    const { fleet, workers } = this.#environment;
    const begin = Date.now();
    const isWhole = () => Array.from({ length: fleet.size }, (_, slot) => fleet.nameOf(slot)).every((name) => name !== null);
    do {
      const late = [await fleet.fill(), (await workers?.fill()) ?? []].flat();
      if (late.length === 0) continue;
      await this.#reader.look();
      const last = late.map((node) => JSON.stringify(this.#reader.lines.findLast((line) => line.node === node) ?? `${node} wrote nothing`));
      const message = `not after ${STARTING_MS} ms; the last lines: ${last.join(" ")}`;
      this.#extra.push({ invariant: "a node is up within a minute of its start", message, ids: [], at: begin });
      return;
    } while (!isWhole() && Date.now() < begin + STARTING_MS);
  }

  /** Waits until fire times begin on time again. */
  async #recover(after: string): Promise<void> {
    const healedAt = Date.now();
    await this.#reader.look();
    // fire times of now that a clock ahead has made before are not made again: then it is anything that begins
    const isMade = this.#reader.lines.some(
      (line) => line.line === "fired" && line.pipeline === "tick" && line.fires.some((at) => at > healedAt + ON_TIME_MS),
    );
    const isOnTime = (line: Line) =>
      line.line === "begin" &&
      line.at > healedAt &&
      (isMade || (line.pipeline === "tick" && line.scheduledFor !== null && Math.abs(line.at - line.scheduledFor) <= ON_TIME_MS));
    for (let from = this.#reader.lines.length; Date.now() < healedAt + PATIENCE_MS; await wait(40)) {
      await this.#reader.look();
      const isBack = this.#reader.lines.slice(from).some(isOnTime);
      from = this.#reader.lines.length;
      if (isBack) break;
    }
    const tookMs = Date.now() - healedAt;
    if (tookMs <= RECOVERY_MS + Math.min(RECOVERY_MS, stalledMs(this.#meter, healedAt, Date.now()))) return;
    const how = tookMs < PATIENCE_MS ? `after ${tookMs} ms` : `not within ${PATIENCE_MS} ms`;
    this.#extra.push({ invariant: "fire times are on time again within 10 s", message: `after ${after}: ${how}`, ids: [], at: healedAt });
  }
}
