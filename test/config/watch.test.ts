import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import {
  type ConfigChange,
  type ConfigError,
  type ConfigWatch,
  differenceLines,
  loadConfig,
  recordConfig,
  watchConfig,
} from "../../src/config/index.js";
import { createScheduler, HeadgateError, memoryStore, type Scheduler } from "../../src/index.js";
import type { Store } from "../../src/ports/store.js";
import { fakeClock } from "../../src/testing/index.js";
import { NOW, written } from "../support/config-file.js";

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

const FIRST = `pipelines:
  a: { schedule: { every: 1h }, executor: work }
  b: { schedule: { every: 2h }, executor: work, execution: { pool: p } }
executors: { work: { command: { command: sleep, args: ["0"] } } }
resources: { pools: { p: 1 } }
monitoring: { channels: { log: { console: {} } } }
`;

async function watched(text: string, options: { store?: Store; file?: string } = {}) {
  const file = options.file ?? written(text);
  const clock = fakeClock(NOW);
  const config = loadConfig(file, { env: {}, now: NOW });
  const scheduler: Scheduler = createScheduler({
    ...config.scheduler,
    store: options.store ?? memoryStore(),
    clock,
    logger: { log: () => {} },
  });
  await scheduler.start();
  await recordConfig(scheduler, config);
  const changes: ConfigChange[] = [];
  const problems: ConfigError[] = [];
  const watch: ConfigWatch = watchConfig(scheduler, file, {
    current: config,
    env: {},
    onChange: (change) => changes.push(change),
    onProblem: (error) => problems.push(error as ConfigError),
  });
  const stop = async () => {
    await watch.close();
    await scheduler.stop({ drain: 0 });
  };
  open.push({ stop });
  /** As an editor does: a new file in place of the old one. */
  const save = async (next: string) => {
    writeFileSync(`${file}.new`, next);
    renameSync(`${file}.new`, file);
    await clock.advance("1s");
    await clock.advance("1s");
    return watch.check();
  };
  return { file, clock, scheduler, watch, changes, problems, save, stop };
}

describe("a configuration that is watched", () => {
  it("takes a change over in one step: what is new, changed and gone, with a difference and an audit entry", async () => {
    const { scheduler, save, changes } = await watched(FIRST);
    const before = scheduler.pipelines().find(({ id }) => id === "a");
    await save(
      FIRST.replace("every: 2h", "every: 3h")
        .replace("pools: { p: 1 }", "pools: { p: 4, q: 1 }")
        .replace("executors:", "  c: { executor: work, execution: { pool: q } }\nexecutors:"),
    );
    const [change] = changes;
    expect(change?.pipelines).toEqual({ added: ["c"], replaced: ["b"], removed: [] });
    expect(scheduler.pipelines().find(({ id }) => id === "a")).toBe(before);
    expect(
      scheduler
        .pipelines()
        .find(({ id }) => id === "b")
        ?.schedule.describe(),
    ).toBe("every 3h");
    expect(differenceLines(change?.differences ?? [])).toEqual([
      '~ pipelines.b.schedule.every: "2h" → "3h"',
      '+ pipelines.c: {"executor":"work","execution":{"pool":"q"}}',
      "~ resources.pools.p: 1 → 4",
      "+ resources.pools.q: 1",
    ]);
    const [entry, first] = await scheduler.audit.list({ limit: 10 });
    expect(first).toMatchObject({ action: "config", before: null });
    expect(entry).toMatchObject({
      action: "config",
      before: { "pipelines.b.schedule.every": "2h", "resources.pools.p": 1 },
      after: { "pipelines.b.schedule.every": "3h", "resources.pools.p": 4 },
    });
    await save(FIRST.replace(/ {2}b:.*\n/, ""));
    expect(changes[1]?.pipelines).toEqual({ added: [], replaced: [], removed: ["b", "c"] });
    expect(scheduler.pipelines().map(({ id }) => id)).toEqual(["a"]);
    expect((await scheduler.audit.verify()).isIntact).toBe(true);
  });

  it("accepts connections over, which settings that were changed at run time name, without showing what they hold", async () => {
    const section = (path: string) => `connections:\n  ready: { type: file, path: ${path} }\n`;
    const gate = FIRST.replace("executor: work }", "executor: work, execution: { timeout: 10s } }");
    const { scheduler, save, changes, problems, clock } = await watched(gate + section("not-there"));
    await scheduler.settings.change("a", { externalDependencies: [{ type: "file", connection: "ready" }] });
    const outcome = async () => {
      const before = (await scheduler.decisions({ pipelineId: "a" })).items.length;
      await scheduler.trigger("a");
      const decisions = async () => {
        await clock.advance("6s"); // beyond the time for which a probe's value is shared
        return (await scheduler.decisions({ pipelineId: "a" })).items;
      };
      await expect.poll(async () => (await decisions()).length, { timeout: 20_000 }).toBeGreaterThan(before);
      return (await scheduler.decisions({ pipelineId: "a" })).items[0]?.outcome;
    };
    expect(await outcome()).toBe("skip");
    await save(gate + section("."));
    expect(await outcome()).toBe("run");
    await save(`${gate}connections:\n  ready: { type: sql, url: "postgres://me:s3cret-password@db.example/x" }\n`);
    expect(await outcome()).toBe("skip");
    expect(problems).toEqual([]);
    expect(changes).toHaveLength(2);
    const shown = JSON.stringify([
      changes.map(({ differences }) => differenceLines(differences)),
      await scheduler.audit.list({ limit: 9 }),
    ]);
    expect(shown).toContain("connections.ready.path");
    expect(shown).not.toContain("s3cret-password");
  });

  it("changes nothing when the change is wrong, says why, and takes the mended file", async () => {
    const { scheduler, save, changes, problems } = await watched(FIRST);
    const before = scheduler.pipelines();
    await save(FIRST.replace("every: 1h", "every: 1 hour").replace("pool: p", "pool: pp"));
    expect(problems[0]?.problems.map(({ path }) => path)).toEqual(["pipelines.a.schedule.every", "pipelines.b.execution.pool"]);
    await save("pipelines: [");
    expect(problems).toHaveLength(2);
    expect(scheduler.pipelines()).toEqual(before);
    expect(changes).toEqual([]);
    expect((await scheduler.audit.list({ limit: 10 })).filter(({ action }) => action === "config")).toHaveLength(1);
    await save(FIRST.replace("every: 1h", "every: 30m"));
    expect(scheduler.pipelines()[0]?.schedule.describe()).toBe("every 30m");
  });

  it("lets runs under way go on, and keeps pauses, settings and the place of what did not change", async () => {
    const { scheduler, save, clock, problems } = await watched(FIRST.replace('["0"]', '["1"]'));
    const ended = new Promise<string>((resolve) => scheduler.on("run.succeeded", ({ run }) => resolve(run.pipelineId)));
    await scheduler.pause({ pipelineId: "a", reason: "x" });
    await scheduler.settings.change("b", { maxActiveRuns: 3 }, { user: "ana" });
    await scheduler.trigger("b");
    await clock.settle();
    await save(FIRST.replace('["1"]', '["0"]').replace("every: 2h", "every: 5h"));
    expect(problems).toEqual([]);
    expect(await ended).toBe("b");
    expect((await scheduler.getPipelineStatus("a")).pause).toMatchObject({ reason: "x" });
    expect((await scheduler.settings.get("b")).values.maxActiveRuns).toBe(3);
    expect(scheduler.pipelines().find(({ id }) => id === "b")?.execution.maxActiveRuns).toBe(3);
  });

  it("waits while somebody is still writing, and follows files that are included", async () => {
    const file = written({ "main.yaml": `include: more.yaml\n${FIRST}`, "more.yaml": "pipelines: { d: { executor: work } }\n" });
    const { scheduler, clock, changes, problems } = await watched("", { file });
    const more = join(file, "..", "more.yaml");
    writeFileSync(more, "pipelines: { d: { executor: wo");
    await clock.advance("1s");
    writeFileSync(more, "pipelines: { d: { executor: work, tags: [x] }, e: { executor: work } }\n");
    await clock.advance("1s");
    expect([changes.length, problems.length]).toEqual([0, 0]);
    await clock.advance("1s");
    await clock.settle();
    expect(problems).toEqual([]);
    expect(scheduler.has("e")).toBe(true);
    expect(changes[0]?.pipelines).toEqual({ added: ["e"], replaced: ["d"], removed: [] });
  });

  it("changes alert rules and channels, and says what counts only from the next start on", async () => {
    const { scheduler, save, changes, clock } = await watched(FIRST);
    await save(
      FIRST.replace("monitoring: {", "monitoring: { every: 1s, rules: { queue_backlog: { length: 1 } },").concat(
        "triggers: { api: { port: 6000 } }\nlogging: { level: debug }\n",
      ),
    );
    expect(changes[0]?.needsRestart).toEqual(["triggers", "logging"]);
    await scheduler.pause();
    for (let n = 0; n < 3; n++) await scheduler.trigger("a");
    await clock.advance("3s");
    await scheduler.alerts.evaluate();
    expect((await scheduler.alerts.list()).map(({ rule }) => rule)).toContain("queue_backlog");
  });

  it("keeps a record of what was changed while nothing ran", async () => {
    const file = written(FIRST);
    const database = join(file, "..", "headgate.db");
    const { stop } = await watched("", { file, store: sqliteStore({ file: database }) });
    await stop();
    writeFileSync(file, FIRST.replace("every: 1h", "every: 4h"));
    const again = await watched("", { file, store: sqliteStore({ file: database }) });
    const [entry] = await again.scheduler.audit.list({ limit: 1 });
    expect(entry).toMatchObject({
      action: "config",
      before: { "pipelines.a.schedule.every": "1h" },
      after: { "pipelines.a.schedule.every": "4h" },
    });
    await again.stop();
    const third = await watched("", { file, store: sqliteStore({ file: database }) });
    expect(await third.scheduler.audit.list({ limit: 10 })).toHaveLength(2);
  });

  it("says that a secret is another without showing it, keeps that in the audit log, and hides it in what runs print", async () => {
    const config = (secret: string) =>
      `${FIRST.replace('command: sleep, args: ["0"]', `command: echo, args: [${secret}]`)}security: { admin_token: ${secret} }\n`;
    const { scheduler, save, changes } = await watched(config("the-first-secret-of-all"));
    await save(config("the-second-secret-of-all"));
    const shown = JSON.stringify([changes[0]?.differences, await scheduler.audit.list({ limit: 10 })]);
    expect(changes[0]?.differences).toContainEqual({
      path: "security.admin_token",
      before: "[redacted]",
      after: "[redacted] (changed)",
      isHidden: true,
    });
    expect((await scheduler.audit.list({ limit: 1 }))[0]).toMatchObject({
      action: "config",
      after: { "security.admin_token": "[redacted] (changed)" },
    });
    expect(shown).not.toMatch(/the-(first|second)-secret/);
    const done = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
    await scheduler.trigger("a");
    await done;
    expect(JSON.stringify((await scheduler.runs()).items[0]?.output)).toContain("[redacted]");
  });

  it("is in force although its record could not be kept, which is told; the next one makes up for it", async () => {
    const inner = memoryStore();
    let isFull = false;
    const store: Store = new Proxy(inner, {
      get: (target, name) => {
        const member = target[name as keyof Store];
        if (name === "putDocuments")
          return async (...args: Parameters<Store["putDocuments"]>) => {
            if (isFull) throw new HeadgateError("STORE_FULL", "no room");
            return target.putDocuments(...args);
          };
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const { scheduler, save, changes, problems } = await watched(FIRST, { store });
    const errors: string[] = [];
    scheduler.on("error", ({ where }) => errors.push(where));
    isFull = true;
    await save(FIRST.replace("every: 1h", "every: 10m"));
    expect([changes.length, problems.length, errors]).toEqual([1, 0, ["recording the changed configuration"]]);
    expect(scheduler.pipelines()[0]?.schedule.describe()).toBe("every 10m");
    isFull = false;
    await save(FIRST.replace("every: 1h", "every: 10m").replace("every: 2h", "every: 3h"));
    expect((await scheduler.audit.list({ limit: 1 }))[0]).toMatchObject({
      after: { "pipelines.a.schedule.every": "10m", "pipelines.b.schedule.every": "3h" },
    });
  });

  it("is not in force while the store cannot be reached, and is then", async () => {
    const inner = memoryStore();
    let isDown = false;
    const store: Store = new Proxy(inner, {
      get: (target, name) => {
        const member = target[name as keyof Store];
        if (name === "register")
          return async (...args: Parameters<Store["register"]>) => {
            if (isDown) throw new HeadgateError("STORE_UNAVAILABLE", "it is down");
            return target.register(...args);
          };
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const { scheduler, save, clock, problems, changes } = await watched(FIRST, { store });
    isDown = true;
    await save(FIRST.replace("every: 1h", "every: 10m").replace("p: 1", "p: 9"));
    expect(problems[0]).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(scheduler.pipelines()[0]?.schedule.describe()).toBe("every 1h");
    isDown = false;
    await clock.advance("2s");
    await clock.settle();
    expect(scheduler.pipelines()[0]?.schedule.describe()).toBe("every 10m");
    expect(changes).toHaveLength(1);
  });
});
