import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  cron,
  definePattern,
  durationMs,
  type Environment,
  every,
  HeadgateError,
  listPatterns,
  manual,
  type Pattern,
  type PatternGroup,
  pattern,
  patterns,
  pipeline,
  recommendPattern,
  type UseCase,
  upcoming,
  validatePattern,
} from "../../src/index.js";
import { STARTING_FILE } from "../../src/service/template.js";

interface Fact {
  cron?: string | null;
  interval?: string;
  timeZone?: string;
  businessDaysOnly?: boolean;
  maxActiveRuns?: number;
  catchup?: boolean;
  retries?: number;
  retryDelay?: string;
  timeout?: string;
  sla?: string | null;
  tags?: string[];
  alertOn?: string[];
  context?: unknown;
  sensor?: string;
  every?: string;
  sensorTimeout?: string;
  allowedSources?: string[];
  path?: string;
  pattern?: string;
  endpoint?: string;
  query?: unknown;
}

const facts = parse(readFileSync(new URL("./patterns.yaml", import.meta.url), "utf8")) as Record<string, Record<string, Fact>>;
const DEFAULTS = facts.customDefaults as unknown as Fact;
const GROUPS: [string, PatternGroup][] = [
  ["standard", "standard"],
  ["eventDriven", "event_driven"],
  ["business", "business"],
];
const named = GROUPS.flatMap(([section, group]) => Object.entries(facts[section] ?? {}).map(([name, fact]) => ({ name, group, fact })));

/** The fire times of a month tell schedules apart. */
const FROM = "2026-03-01T00:00:00Z";
function fires(of: Pattern): string[] {
  return upcoming(of.schedule, { from: FROM, until: "2026-04-05T00:00:00Z" }).map((date) => date.toISOString());
}

describe("the named patterns", () => {
  it("are the 16 of the facts, and the 3 adaptive presets", () => {
    const adaptive = Object.keys(facts.adaptive ?? {});
    expect(named).toHaveLength(16);
    expect(Object.keys(patterns).toSorted()).toEqual([...named.map(({ name }) => name), ...adaptive].toSorted());
    for (const [section, group] of GROUPS) expect(listPatterns(group).map(({ name }) => name)).toEqual(Object.keys(facts[section] ?? {}));
    expect(listPatterns("adaptive").map(({ name }) => name)).toEqual(adaptive);
    expect(listPatterns()).toHaveLength(19);
  });

  it("are as many as the README and the file of headgate init say", () => {
    const count = listPatterns().length;
    expect(readFileSync("README.md", "utf8")).toContain(`**Patterns**: ${count} named presets`);
    expect(STARTING_FILE).toContain(`one of ${count}.`);
  });

  it.each(named)("$name is as the facts say", ({ name, group, fact }) => {
    const one = (patterns as Record<string, Pattern>)[name] as Pattern;
    expect(one).toMatchObject({ name, group });
    const expected = fact.cron ? cron(fact.cron, { timeZone: fact.timeZone ?? "UTC" }) : fact.interval ? every(fact.interval) : manual();
    expect(fires(one)).toEqual(upcoming(expected, { from: FROM, until: "2026-04-05T00:00:00Z" }).map((date) => date.toISOString()));
    const { execution } = pipeline({ id: "x", pattern: one, run: () => {} });
    const told = { ...DEFAULTS, ...fact };
    expect(execution).toMatchObject({
      maxActiveRuns: told.maxActiveRuns,
      catchup: told.catchup ? "all" : "latest",
      retries: told.retries,
      retryDelayMs: durationMs(told.retryDelay ?? ""),
      timeoutMs: durationMs(told.timeout ?? ""),
    });
    expect(one.slaMs).toBe(fact.sla ? durationMs(fact.sla) : null);
    expect(one.tags).toEqual(told.tags);
    expect(one.alertOn).toEqual(told.alertOn);
    expect(one.context).toEqual(fact.context ?? {});
    expect(one.conditions.map((each) => each.name)).toEqual(fact.businessDaysOnly ? ["business day"] : []);
    if (fact.sensor === undefined) expect(one.sensor).toBeNull();
    else {
      const { kind, ...rest } = one.sensor ?? { kind: "none" };
      expect(kind).toBe(fact.sensor);
      const { every: polled, sensorTimeout, path, pattern: glob, endpoint, query, allowedSources } = fact;
      const wanted = { path, pattern: glob, endpoint, query, allowedSources };
      expect(rest).toMatchObject(Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)));
      if ("every" in rest)
        expect([durationMs(rest.every), durationMs(rest.timeout)]).toEqual([durationMs(polled ?? ""), durationMs(sensorTimeout ?? "")]);
    }
  });

  it.each(Object.entries(facts.adaptive ?? {}))("%s carries its tuner and starts at its base interval", (name, fact) => {
    const bounds = fact as unknown as { base: string; min: string; max: string; speedUp: number; slowDown: number };
    const one = (patterns as Record<string, Pattern>)[name] as Pattern;
    const tuner = one.tuner as NonNullable<Pattern["tuner"]>;
    expect(tuner.kind).toBe(name);
    expect([tuner.base, tuner.min, tuner.max].map((length) => durationMs(length))).toEqual(
      [bounds.base, bounds.min, bounds.max].map((length) => durationMs(length)),
    );
    expect([tuner.speedUp, tuner.slowDown]).toEqual([bounds.speedUp, bounds.slowDown]);
    expect(one.schedule.key).toBe(`adaptive ${every(bounds.base).key}`);
  });

  it("are recommended by use case and environment as the facts say", () => {
    for (const [environment, byUse] of Object.entries(facts.recommended ?? {})) {
      for (const [useCase, name] of Object.entries(byUse)) {
        expect(recommendPattern(useCase as UseCase, environment as Environment).name).toBe(name);
      }
    }
    expect(recommendPattern("monitoring").name).toBe("production_hourly");
    expect(() => recommendPattern("etl" as UseCase)).toThrow(/data_warehouse_etl/);
    expect(() => recommendPattern("monitoring", "staging" as Environment)).toThrow(/development/);
    expect(() => recommendPattern("constructor" as UseCase)).toThrow(HeadgateError);
  });
});

describe("pattern()", () => {
  it("replaces parts and keeps the rest", () => {
    const berlin = pattern("production_daily", { timeZone: "Europe/Berlin", execution: { retries: 2 } });
    expect(berlin.execution).toMatchObject({ retries: 2, retryDelay: "10m", timeout: "3h" });
    expect(fires(berlin)[0]).toBe("2026-03-01T01:00:00.000Z");
    expect(fires(pattern("production_daily", { interval: "1d" }))[0]).toBe("2026-03-02T00:00:00.000Z");
    expect(pattern("production_daily")).toBe(patterns.production_daily);
    expect(patterns.production_daily.execution.retries).toBe(5);
  });

  it("refuses unknown names and bad parts", () => {
    expect(() => pattern("toString" as never)).toThrow(expect.objectContaining({ code: "UNKNOWN_PATTERN" }));
    expect(() => pattern("production_daily", { cron: "61 * * * *" })).toThrow(expect.objectContaining({ code: "INVALID_PATTERN" }));
  });
});

describe("definePattern() and validatePattern()", () => {
  it("fill in the custom defaults of the facts", () => {
    const nightly = definePattern("nightly", { description: "After closing", cron: "30 23 * * *", timeZone: "Europe/Paris" });
    expect(nightly).toMatchObject({ group: "custom", tags: DEFAULTS.tags, alertOn: DEFAULTS.alertOn, slaMs: null });
    expect(pipeline({ id: "x", pattern: nightly, run: () => {} }).execution).toMatchObject({
      retries: 3,
      retryDelayMs: 300_000,
      timeoutMs: 7_200_000,
    });
  });

  it("report the facts' errors, all at once", () => {
    expect(validatePattern({}).errors).toHaveLength(2);
    const { isValid, errors } = validatePattern({ description: " ", cron: "0 25 * * *", execution: { retries: -1, timeout: "soon" } });
    expect(isValid).toBe(false);
    expect(errors).toHaveLength(4);
    expect(() => definePattern("bad name!", { description: "", cron: "x" })).toThrow(/name must be .*description is required/);
  });

  it("report the facts' warnings", () => {
    const warnings = (options: Parameters<typeof validatePattern>[0]) => validatePattern({ description: "x", ...options }).warnings;
    expect(warnings({ interval: "59s" })).toEqual(["interval 59s is under 1 minute"]);
    expect(warnings({ interval: "8d" })).toEqual(["interval 8d is over 1 week"]);
    expect(warnings({ interval: "1h", execution: { timeout: "4m", retryDelay: "5m" } })).toEqual([
      "timeout 4m is shorter than the retry delay 5m",
    ]);
    expect(warnings({ interval: "1h", execution: { retries: 11 } })).toEqual(["11 retries are more than 10"]);
    expect(warnings({ interval: "1w", execution: { retries: 10, timeout: "5m", retryDelay: "5m" } })).toEqual([]);
  });
});
