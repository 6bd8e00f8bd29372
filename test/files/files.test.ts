import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type TriggerFileOptions, watchTriggerFiles } from "../../src/adapters/files/index.js";
import { HeadgateError, memoryStore, type Pipeline, pipeline, type SchedulerOptions } from "../../src/index.js";
import { harness } from "../support/harness.js";

const root = mkdtempSync(join(tmpdir(), "headgate-files-"));
afterAll(() => {
  execFileSync("chmod", ["-R", "u+rwx", root]);
  rmSync(root, { recursive: true });
});

let made = 0;
const sales = () => pipeline({ id: "sales", execution: { maxActiveRuns: 1_000 }, run: () => {} });
/** As the documentation of trigger files has it. */
const EXAMPLE = {
  trigger_type: "data_update",
  source: "external_system",
  priority: "high",
  parameters: { dataset: "mobile_phones", incremental: false },
  created_at: "2024-01-15T10:30:00Z",
};

interface Options {
  readonly pipelines?: readonly Pipeline[];
  readonly files?: Partial<TriggerFileOptions>;
  readonly scheduler?: SchedulerOptions;
  readonly directory?: string;
}

async function watching({
  pipelines = [sales()],
  files = {},
  scheduler: options = {},
  directory = join(root, `d${made++}`),
}: Options = {}) {
  mkdirSync(directory, { recursive: true });
  const harnessed = await harness(pipelines, options);
  const watcher = await watchTriggerFiles(harnessed.scheduler, { directory, polling: "1s", ...files });
  const drop = (name: string, content: unknown) =>
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  const there = () => readdirSync(directory, { recursive: true }).map(String).toSorted();
  const triggers = async () => (await harnessed.scheduler.triggers({ limit: 1_000 })).items;
  const whyOf = (name: string) => JSON.parse(readFileSync(join(directory, "rejected", `${name}.error.json`), "utf8"));
  const close = async () => {
    await watcher.close();
    await harnessed.scheduler.stop();
  };
  return { ...harnessed, directory, watcher, drop, there, triggers, whyOf, close };
}

/** Root may write and read anything: it works as somebody else who owns the directory. */
async function withoutRights(directory: string, work: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return work();
  execFileSync("chown", ["-R", "65534", directory]);
  chmodSync(root, 0o755);
  process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}

const EMPTY = [".claimed", "rejected"];

describe("a trigger file", () => {
  it("becomes one trigger with all it says, and is removed; so are those that were there at the start", async () => {
    const directory = join(root, "first");
    mkdirSync(directory);
    writeFileSync(join(directory, "early.trigger"), "{}");
    const { drop, clock, there, triggers, watcher, close } = await watching({ directory });
    await clock.advance("1s");
    drop("phones.json", EXAMPLE);
    drop("read.me", "not looked at");
    drop(".hidden.json", "not looked at");
    await clock.advance("3s");
    expect(
      (await triggers()).map(({ kind, user, priority, parameters, reason }) => ({ kind, user, priority, parameters, reason })),
    ).toEqual([
      {
        kind: "file",
        user: "file:external_system",
        priority: "high",
        parameters: { dataset: "mobile_phones", incremental: false },
        reason: "data_update: trigger file phones.json, created 2024-01-15T10:30:00Z",
      },
      { kind: "file", user: "file", priority: "normal", parameters: null, reason: "trigger file early.trigger" },
    ]);
    expect(there()).toEqual([".claimed", ".hidden.json", "read.me", "rejected"]);
    expect(watcher.status()).toMatchObject({ accepted: 2, rejected: 0, error: null });
    await close();
  });

  it("of the same name and content, dropped again, is another trigger", async () => {
    const { drop, clock, triggers, close } = await watching();
    for (let n = 0; n < 3; n++) {
      drop("go.trigger", EXAMPLE);
      await clock.advance("1s");
    }
    expect((await triggers()).length).toBe(3);
    await close();
  });

  it("names its pipeline, or means the one of the option, or the only one", async () => {
    const two = [sales(), pipeline({ id: "stock", run: () => {} })];
    const { drop, clock, triggers, whyOf, close } = await watching({ pipelines: two });
    drop("a.json", { pipeline: "stock" });
    drop("b.json", { dag_id: "sales" });
    drop("c.json", {});
    drop("d.json", { pipeline: "stok" });
    await clock.advance("1s");
    expect((await triggers()).map(({ pipelineId }) => pipelineId).toSorted()).toEqual(["sales", "stock"]);
    expect(whyOf("c.json").error).toBe("it names no pipeline; set the field pipeline to one of sales, stock");
    expect(whyOf("d.json")).toMatchObject({ file: "d.json", code: "UNKNOWN_PIPELINE" });
    await close();
    const other = await watching({ pipelines: two, files: { pipeline: "stock" } });
    other.drop("c.json", {});
    await other.clock.advance("1s");
    expect((await other.triggers()).map(({ pipelineId }) => pipelineId)).toEqual(["stock"]);
    await other.close();
  });

  it("is kept in processed if asked", async () => {
    const { drop, clock, there, close } = await watching({ files: { keepProcessed: true } });
    drop("a.json", {});
    await clock.advance("1s");
    drop("a.json", {});
    await clock.advance("1s");
    expect(there().filter((name) => /^processed.+a\.json$/.test(name)).length).toBe(2);
    await close();
  });

  it("is waited for while it is being written, in pieces or as nothing at first", async () => {
    const { directory, drop, clock, triggers, there, close } = await watching();
    drop("slow.json", "");
    await clock.advance("1500ms");
    for (const piece of ['{"parame', 'ters": {"n"', ": 1}"]) {
      appendFileSync(join(directory, "slow.json"), piece);
      await clock.advance("1500ms");
    }
    expect(await triggers()).toEqual([]);
    expect(there()).toContain("slow.json");
    appendFileSync(join(directory, "slow.json"), "}");
    await clock.advance("1500ms");
    expect(await triggers()).toMatchObject([{ parameters: { n: 1 } }]);
    expect(there()).toEqual(EMPTY);
    await close();
  });

  it("renamed in, or with a time in the future or long ago, is as good as any", async () => {
    const { directory, drop, clock, triggers, close } = await watching();
    drop("x.tmp", EXAMPLE);
    renameSync(join(directory, "x.tmp"), join(directory, "x.trigger"));
    drop("future.json", { created_at: "2099-01-01T00:00:00Z" });
    utimesSync(join(directory, "future.json"), 4_000_000_000, 4_000_000_000);
    drop("past.json", {});
    utimesSync(join(directory, "past.json"), 1, 1);
    await clock.advance("1s");
    expect((await triggers()).length).toBe(3);
    await close();
  });
});

describe("a bad trigger file", () => {
  const NOT_JSON = "BAD_TRIGGER_FILE";
  it.each([
    ["broken.json", "{nope", NOT_JSON, /not JSON/],
    ["empty.trigger", "", NOT_JSON, /empty/],
    ["list.json", "[1]", NOT_JSON, /expected object/i],
    ["typo.json", '{"paramters": {}}', NOT_JSON, /\/paramters: unknown field; allowed: pipeline/],
    ["type.json", '{"priority": "urgent"}', NOT_JSON, /\/priority/],
    ["time.json", '{"created_at": "yesterday"}', NOT_JSON, /\/created_at/],
    ["both.json", '{"pipeline": "a", "dag_id": "b"}', NOT_JSON, /different pipelines/],
    ["proto.json", '{"parameters": {"__proto__": {"a": 1}}}', NOT_JSON, /a reserved name/],
    ["nul.json", '{"source": "a\\u0000b"}', NOT_JSON, /NUL/],
    ["deep.json", `{"parameters": {"a": ${"[".repeat(10_000)}${"]".repeat(10_000)}}}`, NOT_JSON, /deeper than 32/],
    ["huge.json", `{"source": "${"x".repeat(2_000)}"}`, NOT_JSON, /over the limit of 1000/],
    ["schema.json", '{"parameters": {"n": "x"}}', "INVALID_PARAMETERS", /n: /],
  ])("%s is set aside with the reason beside it", async (name, content, code, message) => {
    const job = pipeline({ id: "sales", parameters: z.object({ n: z.number().optional() }), run: () => {} });
    const { drop, clock, whyOf, there, triggers, watcher, heard, scheduler, close } = await watching({
      pipelines: [job],
      files: { sizeLimit: name.startsWith("deep") ? 1_000_000 : 1_000 },
    });
    const rejected: string[] = [];
    scheduler.on("file.rejected", ({ file }) => rejected.push(file));
    drop(name, content);
    await clock.advance("10s");
    expect(whyOf(name)).toMatchObject({ file: name, code, error: expect.stringMatching(message), rejected_at: expect.any(String) });
    expect(there()).toEqual([...EMPTY, `rejected/${name}`, `rejected/${name}.error.json`]);
    expect(await triggers()).toEqual([]);
    expect(watcher.status()).toMatchObject({ rejected: 1, error: null });
    expect(rejected).toEqual([name]);
    expect(heard("error")).toEqual([]);
    await close();
  });

  it("that is no file, or one that may not be read, is set aside too", async () => {
    const { directory, drop, clock, whyOf, there, triggers, close } = await watching();
    writeFileSync(join(root, "outside.json"), "{}");
    mkdirSync(join(directory, "folder.trigger"));
    symlinkSync(join(root, "outside.json"), join(directory, "link.json"));
    symlinkSync(join(root, "nothing"), join(directory, "dangling.json"));
    symlinkSync("loop.json", join(directory, "loop.json"));
    execFileSync("mkfifo", [join(directory, "pipe.json")]);
    drop("good.json", {});
    await clock.advance("5s");
    expect(whyOf("folder.trigger").error).toContain("directory");
    for (const name of ["link.json", "dangling.json", "loop.json"]) expect(whyOf(name).error).toContain("it is a symbolic link");
    expect(whyOf("pipe.json").error).toContain("not a regular file");
    expect((await triggers()).length).toBe(1);
    expect(existsSync(join(root, "outside.json"))).toBe(true);
    expect(there().filter((name) => name.startsWith("rejected/")).length).toBe(10);
    await close();
  });

  it("that is a link within the directory is set aside too: what it leads to may change at any time", async () => {
    const { directory, drop, clock, triggers, there, close } = await watching();
    drop("real.txt", { source: "linked" });
    symlinkSync("real.txt", join(directory, "link.json"));
    await clock.advance("5s");
    expect(await triggers()).toEqual([]);
    expect(there()).toEqual([".claimed", "real.txt", "rejected", "rejected/link.json", "rejected/link.json.error.json"]);
    await close();
  });

  it("of a name that was set aside before keeps both", async () => {
    const { drop, clock, there, close } = await watching();
    for (const content of ["{one", "{two", "{three"]) {
      drop("x.json", content);
      await clock.advance("5s");
    }
    const kept = ["x-2.json", "x-2.json.error.json", "x-3.json", "x-3.json.error.json", "x.json", "x.json.error.json"];
    expect(there()).toEqual([...EMPTY, ...kept.map((name) => `rejected/${name}`)]);
    await close();
  });

  it("of random content is taken or set aside, never lost, and the good ones beside it are taken", async () => {
    const { drop, clock, there, triggers, watcher, heard, close } = await watching();
    const anything = fc.oneof(
      fc.json(),
      fc.string({ unit: "binary" }),
      fc
        .record({ source: fc.string(), priority: fc.string(), parameters: fc.anything({ withNullPrototype: false }) }, { requiredKeys: [] })
        .map((one) => JSON.stringify(one)),
    );
    let n = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { maxLength: 5 }), async (contents) => {
        const before = { ...watcher.status(), triggers: (await triggers()).length };
        for (const content of contents) drop(`r${n++}.json`, content);
        drop(`good${n++}.trigger`, {});
        await clock.advance("10s");
        const after = watcher.status();
        expect(after.accepted + after.rejected - before.accepted - before.rejected).toBe(contents.length + 1);
        expect((await triggers()).length).toBe(after.accepted);
      }),
      { numRuns: 40 },
    );
    expect(there().filter((name) => !name.startsWith("rejected/"))).toEqual(EMPTY);
    expect(heard("error")).toEqual([]);
    await close();
  });
});

describe("a watcher of trigger files", () => {
  it("keeps what it took while the store is down, and goes on when it is back", async () => {
    const memory = memoryStore();
    let isAway = true;
    const enqueue = memory.enqueue.bind(memory);
    const store = Object.assign(memory, {
      enqueue: (...args: Parameters<typeof enqueue>) =>
        isAway ? Promise.reject(new HeadgateError("STORE_UNAVAILABLE", "away")) : enqueue(...args),
    });
    const { drop, clock, there, triggers, watcher, heard, close } = await watching({ scheduler: { store } });
    for (let n = 0; n < 300; n++) drop(`f${n}.json`, { parameters: { n } });
    await clock.advance("2m");
    expect(await triggers()).toEqual([]);
    expect(there().filter((name) => name.includes(".json")).length).toBe(300);
    expect(watcher.status().error).toBe("away");
    isAway = false;
    await clock.advance("1m");
    expect(new Set((await triggers()).map(({ parameters }) => (parameters as { n: number }).n)).size).toBe(300);
    expect((await triggers()).length).toBe(300);
    expect(there()).toEqual(EMPTY);
    expect(heard("error")).toEqual([]);
    await close();
  });

  it("goes on with what a process that died has taken", async () => {
    const directory = join(root, "left");
    mkdirSync(join(directory, ".claimed"), { recursive: true });
    writeFileSync(join(directory, ".claimed", "0123456789abcdef01234567~phones.json"), JSON.stringify(EXAMPLE));
    const first = await watching({ directory });
    await first.clock.advance("1s");
    expect(await first.triggers()).toMatchObject([{ user: "file:external_system", idempotencyKey: "file:0123456789abcdef01234567" }]);
    writeFileSync(join(directory, ".claimed", "0123456789abcdef01234567~phones.json"), JSON.stringify(EXAMPLE)); // it died before it was removed
    await first.clock.advance("1m");
    expect((await first.triggers()).length).toBe(1);
    expect(first.there()).toEqual(EMPTY);
    await first.close();
  });

  it("does not turn in circles where it may not write, and recovers", async () => {
    const { directory, drop, clock, triggers, heard, watcher, whyOf, close } = await watching();
    drop("a.json", {});
    drop("secret.json", {});
    await withoutRights(directory, async () => {
      chmodSync(directory, 0o500);
      await clock.advance("10m");
      expect(heard("error").length).toBeLessThan(40);
      expect(watcher.status().error).toContain("EACCES");
      chmodSync(join(directory, "secret.json"), 0);
      chmodSync(directory, 0o700);
      await clock.advance("1m");
      expect((await triggers()).length).toBe(1);
      expect(whyOf("secret.json").error).toBe("it cannot be read (EACCES); grant the service read access");
    });
    await close();
  });

  it("is told of files by the file system", async () => {
    const { drop, scheduler, triggers, there, close } = await watching({ files: { polling: false } });
    const accepted = new Promise((resolve) => scheduler.once("file.accepted", resolve));
    drop("now.json", EXAMPLE);
    expect(await accepted).toMatchObject({ file: "now.json", pipelineId: "sales" });
    expect((await triggers()).length).toBe(1);
    expect(there()).toEqual(EMPTY);
    await close();
  });

  it("ends with its scheduler, and twice is harmless", async () => {
    const { scheduler, watcher, drop, there } = await watching({ files: { polling: false } });
    await scheduler.stop();
    await watcher.close();
    await watcher.close();
    drop("late.json", {});
    await watcher.scan();
    expect(there()).toContain("late.json");
  });

  it("says what is wrong with its options", async () => {
    const { scheduler } = await harness([sales()]);
    const file = join(root, "a-file");
    writeFileSync(file, "");
    await expect(watchTriggerFiles(scheduler, { directory: "" })).rejects.toThrow(/directory: must be a non-empty path/);
    await expect(watchTriggerFiles(scheduler, { directory: file })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("cannot be used"),
    });
    await expect(watchTriggerFiles(scheduler, { directory: root, sizeLimit: 0 })).rejects.toThrow(/sizeLimit/);
    await scheduler.stop();
  });
});
