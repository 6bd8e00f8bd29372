import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { definePattern, HeadgateError, pattern, pipeline, validatePattern } from "../../src/index.js";
import { sampled } from "../support/sampled.js";

/** What JavaScript may hand over in place of a value, as functions that make it: fast-check looks at values, and some throw when they are looked at. */
const hostile: fc.Arbitrary<() => unknown> = fc.oneof(
  fc
    .anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true, withTypedArray: true })
    .map((one) => () => one),
  fc.constantFrom<() => unknown>(
    throwing,
    trapped,
    revoked,
    cyclic,
    listOfItself,
    () => Symbol("retries"),
    () => () => {},
  ),
);

function throwing(): unknown {
  return Object.defineProperty({}, "retries", {
    enumerable: true,
    get: () => {
      throw new Error("not today");
    },
  });
}

function trapped(): unknown {
  const refuse = () => {
    throw "not an error";
  };
  return new Proxy({}, { get: refuse, ownKeys: refuse, getPrototypeOf: refuse, has: refuse, getOwnPropertyDescriptor: refuse });
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function cyclic(): unknown {
  const one: Record<string, unknown> = { description: "x" };
  one.execution = one;
  one.schedule = one;
  return one;
}

function listOfItself(): unknown {
  const list: unknown[] = [];
  list.push(list);
  return list;
}

const NAMES = ["description", "cron", "timeZone", "interval", "schedule", "businessDaysOnly", "conditions", "sla", "tags", "alertOn"];
const NESTED = ["execution", "sensor", "tuner", "context"];
const EXECUTION = [
  "retries",
  "retryDelay",
  "backoff",
  "jitter",
  "retryOn",
  "timeout",
  "maxActiveRuns",
  "overlap",
  "catchup",
  "priority",
  "pool",
];

/** Values that some option takes, so that valid patterns come up too. */
const plausible = fc.constantFrom<unknown>(
  "x",
  "1h",
  "0 2 * * *",
  "Europe/Berlin",
  true,
  null,
  1,
  0,
  0.5,
  "latest",
  "fixed",
  "skip",
  "high",
  ["a"],
  ["failure"],
  [],
  {},
);
const value = fc.oneof({ weight: 3, arbitrary: plausible.map((one) => () => one) }, { weight: 1, arbitrary: hostile });
const made = (options: Readonly<Record<string, () => unknown>>) =>
  Object.fromEntries(Object.entries(options).map(([name, make]) => [name, make()]));
const objectOf = (names: readonly string[]) =>
  fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: fc.string() }), value, {
    maxKeys: 4,
    noNullPrototype: true,
  });
const patternLike = fc
  .tuple(
    objectOf(NAMES),
    fc.option(fc.oneof({ weight: 3, arbitrary: objectOf(EXECUTION).map((one) => () => made(one)) }, { weight: 1, arbitrary: hostile }), {
      nil: undefined,
    }),
    fc.dictionary(fc.constantFrom(...NESTED), value, { maxKeys: 1 }),
    fc.boolean(),
  )
  .map(([options, execution, nested, isLikelyValid]) => ({
    ...(isLikelyValid ? { description: "x", interval: "1h" } : {}),
    ...made(options),
    ...(execution === undefined ? {} : { execution: execution() }),
    ...made(nested),
  }));

const loose = validatePattern as (options: unknown) => ReturnType<typeof validatePattern>;

function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return null;
  } catch (error) {
    return error;
  }
}

describe("validatePattern()", () => {
  it("never throws, and always has an answer", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          patternLike.map((one) => () => one),
        ),
        (make) => {
          const { isValid, errors, warnings } = loose(make());
          expect(isValid).toBe(errors.length === 0);
          for (const one of [...errors, ...warnings]) expect(typeof one).toBe("string");
        },
      ),
      { numRuns: sampled(3_000) },
    );
    for (const options of [null, undefined, 7, "daily", [], { execution: null }, throwing(), trapped(), revoked(), cyclic()])
      expect(loose(options).isValid).toBe(false);
  });

  it("agrees with definePattern() and pipeline(): what it passes they take, what it refuses they refuse with the same text", () => {
    let passed = 0;
    fc.assert(
      fc.property(patternLike, (options) => {
        const { isValid, errors } = loose(options);
        const thrown = thrownBy(() => definePattern("mine", options as never));
        if (!isValid) {
          expect(thrown).toBeInstanceOf(HeadgateError);
          expect(thrown).toMatchObject({ code: "INVALID_PATTERN", details: { errors } });
          expect((thrown as Error).message).toBe(`pattern "mine": ${errors.join("; ")}`);
          return;
        }
        expect(thrown).toBeNull();
        passed++;
        pipeline({ id: "a", pattern: definePattern("mine", options as never), run: () => {} });
      }),
      { numRuns: 3_000 }, // few of them pass
    );
    expect(passed).toBeGreaterThan(30);
  });

  it("refuses with the text of pipeline() what both take", () => {
    const shared = ["schedule", "conditions", "sla", "tags", "alertOn"];
    fc.assert(
      fc.property(fc.constantFrom(...shared, ...EXECUTION, "retires"), value, (name, make) => {
        const one = make();
        const options = shared.includes(name) ? { [name]: one } : { execution: { [name]: one } };
        const { errors } = loose({ description: "x", ...(name === "schedule" ? {} : { interval: "1h" }), ...options });
        const thrown = thrownBy(() => pipeline({ id: "a", run: () => {}, ...options }));
        if (one === undefined) return;
        if (errors.length === 0) expect(thrown).toBeNull();
        else if (!(thrown instanceof HeadgateError))
          expect(thrown).not.toBeNull(); // a trap or a getter that threw
        else expect((thrown as Error).message).toContain(errors.at(-1));
      }),
      { numRuns: sampled(2_000) },
    );
  });

  it("finds typos, and says what was meant", () => {
    const errorsOf = (options: Record<string, unknown>) => loose({ description: "x", interval: "1h", ...options }).errors;
    expect(errorsOf({ execution: { retires: 3 } })[0]).toMatch(/^execution\.retires: unknown option; did you mean "retries"\?/);
    expect(errorsOf({ retries: 3 })[0]).toMatch(/^retries: unknown option; allowed: /);
    expect(errorsOf({ timezone: "UTC" })[0]).toMatch(/^timezone: unknown option; did you mean "timeZone"\?/);
    expect(errorsOf({ tags: "a" })).toEqual(['tags: must be an array of strings (got "a")']);
    expect(errorsOf({ alertOn: ["nope"] })).toEqual(['alertOn: "nope" is unknown; allowed: failure, retry, sla_miss']);
    expect(loose({ description: "x", schedule: null }).errors[0]).toMatch(/^schedule: must be a schedule such as cron/);
    expect(errorsOf({ execution: { retries: "3" } })).toEqual(['execution.retries: must be an integer from 0 to 1,000 (got "3")']);
    expect(errorsOf({ execution: { retries: 1.5 } })).toEqual(["execution.retries: must be an integer from 0 to 1,000 (got 1.5)"]);
    expect(errorsOf({ execution: { catchup: "yes" } })).toEqual(['execution.catchup: "yes" is unknown; allowed: none, latest, all']);
    expect(errorsOf({ execution: { maxActiveRuns: 0 } })).toEqual([
      "execution.maxActiveRuns: must be an integer from 1 to 100,000 (got 0)",
    ]);
    expect(errorsOf({ sensor: { kind: "file", path: "in", pattern: "*", every: "1m", timeout: "1h", paths: 1 } })[0]).toMatch(
      /^sensor\.paths: unknown option; did you mean "path"/,
    );
    expect(errorsOf({ tuner: { kind: "load" } })[0]).toMatch(/^tuner\.kind: "load" is unknown/);
    expect(errorsOf({ execution: { retires: 3, catchup: "yes" }, tags: 1, sla: "soon" })).toHaveLength(4);
  });

  it("is what pattern() goes by for the parts that it replaces", () => {
    for (const overrides of [{ execution: { retires: 3 } }, { execution: "3" }, { tags: "a" }, { timezone: "UTC" }, { context: 7 }])
      expect(() => pattern("production_daily", overrides as never)).toThrow(expect.objectContaining({ code: "INVALID_PATTERN" }));
  });
});
