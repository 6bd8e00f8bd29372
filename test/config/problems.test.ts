import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ConfigError, loadConfig } from "../../src/config/index.js";
import { around, problemsOf, written } from "../support/config-file.js";

describe("what is wrong with a configuration", () => {
  it("names both forms of data_freshness when there is neither, or both", () => {
    const told = (freshness: string) => {
      try {
        loadConfig("schedule.yaml", { env: {}, text: `pipelines: {}\nconditional_execution: { data_freshness: ${freshness} }\n` });
        return [];
      } catch (error) {
        return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
      }
    };
    const problem = ["conditional_execution.data_freshness: set staleness_threshold_hours or older_than"];
    expect(told("{}")).toEqual(problem);
    expect(told("{ staleness_threshold_hours: 24, older_than: 1d }")).toEqual(problem);
    expect(told("{ staleness_threshold_hours: 24 }")).toEqual([]);
    expect(told("{ older_than: 1d, on_block: hold }")).toEqual([]);
  });

  it("is told all at once, with file, line, column, path, what is allowed and what may have been meant", () => {
    const file = written(`time_zone: Europe/Berlim
pipelins: {}
pipelines:
  daily:
    patern: production_daily
    executor: shel
    after: [hourli]
    conditions:
      - stale: { older_than: 20 hours }
      - stale: { older_than: 1h }
        succeeded: { pipeline: nobody }
  hourly:
    schedule: { cron: "61 * * * *" }
    executor: { command: { comand: "true" } }
    execution: { pool: wharehouse, overlap: que_one, retries: -1 }
  "bad id!": { executor: shell }
executors:
  shell: { command: { command: echo, args: hello } }
resources:
  pools: { warehouse: 2 }
monitoring:
  channels: { ops: { console: {} } }
  routes: [ { channels: opps, severities: [critcal] } ]
triggers: yes
`);
    let problems: ConfigError["problems"] = [];
    try {
      loadConfig(file, { env: {} });
    } catch (error) {
      problems = (error as ConfigError).problems;
    }
    const told = problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
    const expected: readonly (readonly [string, RegExp])[] = [
      ["1:12 time_zone", /Europe\/Berlim.*not a known time zone/],
      ["2:1 pipelins", /unknown key; did you mean "pipelines"\? allowed: time_zone, pipelines/],
      ["5:5 pipelines.daily.patern", /did you mean "pattern"/],
      ["6:15 pipelines.daily.executor", /no such executor: "shel"; did you mean "shell"/],
      ["7:5 pipelines.daily.after", /no such pipeline: "hourli"; did you mean "hourly"/],
      ["9:30 pipelines.daily.conditions[0].stale.older_than", /"20 hours" is not a duration/],
      ["10:9 pipelines.daily.conditions[1]", /exactly one of .* not stale and succeeded/],
      ["13:23 pipelines.hourly.schedule.cron", /minute "61" is out of range/],
      ["14:26 pipelines.hourly.executor.command.command", /is missing/],
      ["14:28 pipelines.hourly.executor.command.comand", /did you mean "command"/],
      ["15:24 pipelines.hourly.execution.pool", /no such pool: "wharehouse"; did you mean "warehouse"/],
      ["15:45 pipelines.hourly.execution.overlap", /one of queue, queue_one, skip, cancel_running; did you mean "queue_one"/],
      ["15:63 pipelines.hourly.execution.retries", /must be at least 0/],
      ['16:3 pipelines."bad id!"', /1 to 128 letters/],
      ["18:44 executors.shell.command.args", /must be a list, not text/],
      ["23:44 monitoring.routes[0].severities[0]", /did you mean "critical"/],
      ["24:11 triggers", /must be a map, not text/],
    ];
    expect(told.map((one) => one.slice(0, one.indexOf(": ")))).toEqual(expected.map(([where]) => where));
    for (const [index, [, message]] of expected.entries()) expect(told[index]).toMatch(message);
    expect(problems.every((one) => one.file.endsWith("schedule_config.yaml"))).toBe(true);
  });

  const files: readonly (readonly [string, string, RegExp])[] = [
    [
      "a bomb of aliases",
      `a: &a [${"x,".repeat(9)}x]\n${Array.from({ length: 9 }, (_, n) => `k${n}: &${String.fromCharCode(98 + n)} [${`*${String.fromCharCode(97 + n)},`.repeat(9)}*${String.fromCharCode(97 + n)}]`).join("\n")}`,
      /more than 20000 values/,
    ],
    ["a circle of aliases", "pipelines: &a\n  x: *a\n", /\*a stands within &a/],
    ["aliases without end", `a: &a 1\nb: [${"*a, ".repeat(30_000)}*a]\n`, /more than 20000 values/],
    [
      "merge keys without end",
      `base: &b {x: 1}\n${Array.from({ length: 5_000 }, (_, n) => `k${n}: {<<: *b}`).join("\n")}\n`,
      /more than 20000 values/,
    ],
    ["a key that would become the prototype", `pipelines: { a: { executor: x } }\n__proto__: { security: {} }\n`, /__proto__: unknown key/],
    ["such a key of a pipeline", `pipelines: { a: { __proto__: { tags: [x] } } }\n`, /pipelines.a.__proto__: unknown key/],
    ["an alias without an anchor", "pipelines: *nobody\n", /refers to an anchor that is not defined before it/],
    ["an unknown tag", "pipelines: !secret { a: {} }\n", /^1: : this tag is not supported/],
    ["an unknown tag of a value", "time_zone: !env TZ\npipelines: {}\n", /^1: : this tag is not supported/],
    ["an unknown tag of a key", "!x pipelines: {}\n", /this tag is not supported/],
    ["an unknown tag in a list", "include: [ !x a.yaml ]\n", /this tag is not supported/],
    ["a tag of another language", "time_zone: !!js/function 'x'\n", /this tag is not supported/],
    ["a tag under another name", "%TAG ! tag:x.example,2000:\n---\ntime_zone: !y 1\n", /this tag is not supported/],
    ["a tag that is not that of the value", "time_zone: !!int soon\n", /this tag is not supported/],
    ["binary data", "time_zone: !!binary aGVsbG8=\n", /this tag is not supported/],
    ["another version of YAML", "%YAML 1.1\n---\npipelines: {}\n", /%YAML must be 1.2/],
    ["an unknown directive", "%FOO bar\n---\npipelines: {}\n", /is not a YAML directive/],
    ["a second document", "pipelines: {}\n---\npipelines: {}\n", /^2: : a second document starts here/],
    ["a duplicate key", "pipelines: {}\npipelines: {}\n", /the key "pipelines" is a duplicate; it is first defined in line 1/],
    ["a tab", "pipelines:\n\tx: 1\n", /[Tt]ab/],
    ["brackets without end", `a: ${"[".repeat(100_000)}`, /nested deeper/],
    ["dashes without end", "- ".repeat(50_000), /nested deeper/],
    ["indentation without end", Array.from({ length: 300 }, (_, n) => `${" ".repeat(n)}a:`).join("\n"), /nested deeper/],
    ["a huge file", `# ${"x".repeat(300_000)}`, /over 128 KiB/],
    ["many keys", Array.from({ length: 9_000 }, (_, n) => `k${n}: 1`).join("\n"), /unknown key/],
    ["a list", "- a\n", /must be a map/],
    ["nothing", "", /is empty/],
    ["a number", "12\n", /must be a map/],
    ["two documents", "pipelines: {}\n---\npipelines: {}\n", /document/],
    ["a tag of its own", "pipelines: !!binary aGk=\n", /./],
    ["a broken string", 'pipelines: "abc\n', /quote|string/],
    ["a file that includes itself", "include: schedule_config.yaml\n", /includes itself/],
    ["a file that is not there", "include: none.yaml\n", /none.yaml does not exist/],
    ["a wrong include", "include: { a: 1 }\n", /path of a file/],
  ];
  it.each(files)("%s is a clear problem, soon", { timeout: 5_000 }, (_, text, message) => {
    const problems = problemsOf(text);
    expect(problems.join("\n")).toMatch(message);
    expect(problems.join("\n")).toMatch(/^\d+: /);
  });

  it("that is not YAML never quotes what stands there: it may be a secret", () => {
    const broken = [
      "admin_token: |hunter2\n  x",
      'admin_token: "x\\qhunter2"',
      "admin_token: !<hunter2 x",
      "admin_token: !hun!ter2 x",
      "admin_token: @hunter2",
      "admin_token: *hunter2",
      "admin_token: {hunter2",
      "admin_token: [b]hunter2",
      "admin_token: 'x' hunter2",
      "admin_token: }hunter2",
      "%YAML hunter2\n---\na: 1",
      "- a\nhunter2",
      "admin_token: x\n hunter2: c: d",
      "pipelines: {}\nsecurity: { admin_token: 'a-long-token-${hunter2!}' }",
    ];
    for (const text of broken) {
      const problems = problemsOf(text).join("\n");
      expect(problems).toMatch(/^\d+: ./);
      expect(problems).not.toMatch(/hunt|unter|nter2/);
    }
  });

  it("is never anything but problems, whatever the file says", () => {
    const word = fc.constantFrom(
      "pipelines",
      "sales",
      "schedule",
      "cron",
      "every",
      "conditions",
      "stale",
      "executor",
      "command",
      "environments",
      "<<",
      "null",
      "1",
      "x",
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom("1h", "0 * * * *", "${X}", "*a", "&a x", "true", "-1", '"', "{", "]", "\t", "|"),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(word, tie("any"), { maxKeys: 4 }),
      ),
    })).any;
    const text = fc.oneof(
      value.map((one) => JSON.stringify(one).replaceAll(/"([\w<*&$ {}]+)"/g, "$1")),
      fc.string({ unit: "binary", maxLength: 200 }),
      fc
        .array(fc.tuple(fc.nat(6), word, fc.constantFrom("", " 1h", " [", " {x: 1}", " &a", " *a", " |", " >-")), { maxLength: 12 })
        .map((rows) => rows.map(([indent, key, rest]) => `${" ".repeat(indent)}${key}:${rest}`).join("\n")),
    );
    fc.assert(
      fc.property(text, (one) => {
        expect(Array.isArray(problemsOf(one, { env: { X: "x" } }))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("checks that look at several parts", () => {
  it.each([
    [
      "a circle",
      "executor: x\n  b: { executor: x, after: c }\n  c: { executor: x, after: b }",
      /depend on each other in a cycle: (b → c → b|c → b → c)/,
    ],
  ])("find %s", (_, text, message) => {
    expect(problemsOf(`pipelines:\n  a:\n    ${text}\nexecutors: { x: { command: { command: echo } } }\n`).join("\n")).toMatch(message);
  });

  it.each<readonly [string, string, string, RegExp | null]>([
    [
      "windows that block every fire time",
      "schedule: { cron: '30 2 * * *' }\nconditions: [ { maintenance_window: { start: '02:00', end: '04:00' } } ]",
      "",
      /pipelines.sales.schedule: maintenance windows block every fire time from 2026-03-02T02:30:00Z/,
    ],
    [
      "windows for all that block every fire time",
      "schedule: { cron: '30 2 * * 0' }",
      "conditional_execution: { maintenance_windows: [ { start: '02:00', end: '04:00', days: [sunday] } ] }",
      /block every fire time/,
    ],
    [
      "nothing in windows that leave some",
      "schedule: { cron: '30 2 * * *' }",
      "conditional_execution: { maintenance_windows: [ { start: '02:00', end: '04:00', days: [sunday] } ] }",
      null,
    ],
    [
      "nothing in windows that hold",
      "schedule: { cron: '30 2 * * *' }\non_block: hold\nconditions: [ { maintenance_window: { start: '02:00', end: '04:00' } } ]",
      "",
      null,
    ],
    [
      "nothing in a fast schedule within a window now",
      "schedule: { every: 1s }\nconditions: [ { maintenance_window: { start: '23:00', end: '04:00' } } ]",
      "",
      null,
    ],
    [
      "a schedule that never fires",
      "schedule: { cron: '0 8 * * 0', within: { start: '08:00', end: '09:00', days: [monday] } }",
      "",
      /never fires/,
    ],
    [
      "nothing in what has fired for the last time",
      "schedule: { at: '2026-03-01T00:00:00Z', within: { start: '00:00', end: '01:00' } }",
      "",
      null,
    ],
    [
      "a timeout shorter than the retry delay",
      "execution: { timeout: 1m, retry_delay: 5m }",
      "",
      /execution.timeout: the timeout, 1m, is shorter than the retry delay, 5m/,
    ],
    ["nothing when nothing is retried", "execution: { timeout: 1m, retry_delay: 5m, retries: 0 }", "", null],
    [
      "an SLA shorter than the timeout",
      "sla: 30m\nexecution: { timeout: 1h }",
      "",
      /pipelines.sales.sla: the SLA, 30m, is shorter than the timeout, 1h/,
    ],
    [
      "an SLA of a pattern shorter than the timeout",
      "pattern: production_hourly\nexecution: { timeout: 2h }",
      "",
      /execution.timeout: the SLA, 50m/,
    ],
    [
      "an unknown pipeline in a condition",
      "conditions: [ { succeeded: { pipeline: sale } } ]",
      "",
      /no such pipeline: "sale"; did you mean "sales"/,
    ],
    [
      "an unknown calendar",
      "schedule: { every: 1h, within: wrk }",
      "calendars: { work: { business_days: {} } }",
      /no such calendar: "wrk"; did you mean "work"/,
    ],
    [
      "an unknown channel",
      "tags: [x]",
      "monitoring: { channels: { ops: { console: {} } }, routes: [ { channels: op } ] }",
      /no such channel: "op"; did you mean "ops"/,
    ],
    [
      "an unknown pipeline of a webhook",
      "tags: [x]",
      "triggers: { webhooks: [ { source: s, pipelines: nobody } ] }",
      /no such pipeline: "nobody"/,
    ],
    [
      "an unknown pipeline of a token",
      "tags: [x]",
      "security: { tokens: [ { id: a, role: viewer, token: 0123456789abcdef, pipelines: nobody } ] }",
      /no such pipeline: "nobody"/,
    ],
    [
      "a short secret among those of a webhook",
      "tags: [x]",
      "triggers: { webhooks: [ { source: s, scheme: github, secret: [ 0123456789abcdef, short ] } ] }",
      /triggers\.webhooks\[0\]\.secret\[1\]: must have at least 16 characters/,
    ],
    [
      "an event of GitHub that its payload does not show",
      "tags: [x]",
      "triggers: { webhooks: [ { source: s, scheme: github, secret: 0123456789abcdef, events: [team_add] } ] }",
      /team_add cannot be recognised by the payload/,
    ],
    [
      "a token that would be the environment's",
      "tags: [x]",
      "security: { tokens: [ { id: environment, role: viewer, token: 0123456789abcdef } ] }",
      /`environment` is reserved/,
    ],
    [
      "a token that would act as a webhook",
      "tags: [x]",
      "security: { tokens: [ { id: a, role: viewer, token: 0123456789abcdef, user: 'webhook:x' } ] }",
      /`webhook:x` is reserved/,
    ],
    ["a short audit key", "tags: [x]", "security: { audit: { key: short } }", /at least 32 characters/],
    ["a short previous audit key", "tags: [x]", "security: { audit: { previous_keys: [short] } }", /at least 32 characters/],
    ["a short token", "tags: [x]", "security: { admin_token: short }", /at least 16 characters/],
    [
      "a pattern that shadows a built-in one",
      "tags: [x]",
      "patterns: { high_frequency: { description: x, interval: 1m } }",
      /is the name of a built-in pattern/,
    ],
    ["a schema that is none", "parameters: { type: 7 }", "", /not a valid JSON Schema/],
    [
      "parameters without defaults",
      "schedule: { every: 1h }\nparameters: { properties: { a: { type: string } }, required: [a] }",
      "",
      /must accept \{\}/,
    ],
  ])("find %s", (_, text, rest, message) => {
    const problems = problemsOf(around(text, rest)).join("\n");
    if (message === null) expect(problems).toBe("");
    else expect(problems).toMatch(message);
  });

  it("find work that nobody does", () => {
    expect(problemsOf("pipelines: { sales: {} }")).toEqual([
      "1: pipelines.sales: has no executor: set executor (or default_executor), or pass its function to loadConfig({ functions })",
    ]);
    expect(problemsOf("pipelines: { sales: {} }\ndefault_executor: { command: { command: echo } }")).toEqual([]);
    expect(problemsOf("pipelines: { sales: {} }", { functions: { sales: () => 1 } })).toEqual([]);
  });
});
