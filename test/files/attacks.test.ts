import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type TriggerFileOptions, watchTriggerFiles } from "../../src/adapters/files/index.js";
import { pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

/** Another user, who may do in the drop directory whatever its mode 0777 allows. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;
const root = mkdtempSync(join(tmpdir(), "headgate-attacks-"));
chmodSync(root, 0o755);
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let made = 0;

/** A service's folder with what nobody else may touch, and a drop directory in it that everybody may write. */
function folder() {
  const service = join(root, `service${made++}`);
  const directory = join(service, "triggers");
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o777);
  mkdirSync(join(service, "private"), { mode: 0o700 });
  writeFileSync(join(service, "private", "secret.txt"), "TOP-SECRET-4711", { mode: 0o600 });
  writeFileSync(join(service, "schedule_config.yaml"), "pipelines: {}\n");
  writeFileSync(join(service, "package.json"), '{ "name": "service" }');
  writeFileSync(join(service, "good-looking.json"), '{ "parameters": { "of": "the service" } }');
  return { service, directory };
}

/** Everything outside of the drop directory and the working directories: names, contents, modes, owners; links are not followed. */
function outside(service: string, below = ""): readonly unknown[] {
  return readdirSync(join(service, below))
    .toSorted()
    .map((name) => join(below, name))
    .filter((name) => name !== "triggers" && name !== "work")
    .flatMap((name): readonly unknown[] => {
      const path = join(service, name);
      const { mode, uid, nlink } = lstatSync(path);
      if (lstatSync(path).isDirectory()) return [{ name, mode, uid }, ...outside(service, name)];
      return [{ name, mode, uid, nlink, content: lstatSync(path).isFile() ? readFileSync(path, "utf8") : readlinkSync(path) }];
    });
}

/** Runs a shell script as the other user, in the drop directory. */
function attack(directory: string, script: string): void {
  execFileSync("/bin/sh", ["-euc", script], { cwd: directory, ...NOBODY, stdio: ["ignore", "pipe", "pipe"] });
}

async function watched(directory: string, options: Partial<TriggerFileOptions> = {}) {
  const inner = await harness([pipeline({ id: "sales", execution: { maxActiveRuns: 1_000 }, run: () => {} })]);
  const watcher = await watchTriggerFiles(inner.scheduler, { directory, polling: "200ms", ...options });
  await inner.clock.advance("1s");
  const sources = async () =>
    (await inner.scheduler.triggers({ limit: 1_000 })).items.map(({ user }) => user?.replace("file:", "")).toSorted();
  const close = async () => {
    await watcher.close();
    await inner.scheduler.stop();
  };
  const drop = (name: string, content: unknown) =>
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  const problems = () => inner.heard("error").map(({ error }) => (error as Error).message);
  return { ...inner, watcher, sources, close, drop, problems };
}

describe.skipIf(!isRoot)("another user who may write the drop directory (needs root to act as one)", () => {
  it("cannot have files of the service moved out by a link in place of .claimed", async () => {
    const { service, directory } = folder();
    const before = outside(service);
    const { clock, drop, sources, watcher, problems, close } = await watched(directory);
    attack(directory, "mv .claimed .mine; ln -s ../private .claimed; mv rejected r; mkdir rejected");
    drop("good.json", { source: "good" });
    await clock.advance("2m");
    expect(outside(service)).toEqual(before);
    expect(readdirSync(join(directory, "rejected"))).toEqual([]);
    expect(watcher.status().error).toMatch(/\.claimed is a symbolic link, not a directory; .*Remove or repair it/);
    expect(problems()[0]).toMatch(/\.claimed is a symbolic link/);
    expect(await sources()).toEqual([]);
    rmSync(join(directory, ".claimed"));
    await clock.advance("1m");
    expect(watcher.status().error).toMatch(/rejected belongs to user 65534, not to the service \(user 0\) or root/);
    rmSync(join(directory, "rejected"), { recursive: true });
    await clock.advance("1m");
    expect(await sources()).toEqual(["good"]);
    expect(watcher.status().error).toBeNull();
    expect(lstatSync(join(directory, ".claimed")).mode & 0o777).toBe(0o700);
    await close();
  });

  it("cannot have the configuration overwritten, or a file made, by a link in place of a report", async () => {
    const { service, directory } = folder();
    const before = outside(service);
    const { clock, drop, sources, problems, close } = await watched(directory);
    attack(directory, "mv rejected r; mkdir -m 777 rejected; ln -s ../../schedule_config.yaml rejected/x.json.error.json");
    attack(directory, "ln -s ../../created-by-nobody rejected/z.json.error.json; echo '{no' > x.json; echo '{no' > z.json");
    await clock.advance("2m");
    expect(outside(service)).toEqual(before);
    expect(readdirSync(join(directory, "rejected")).length).toBe(2);
    expect(problems().join()).toMatch(/rejected belongs to user 65534/);
    rmSync(join(directory, "rejected"), { recursive: true });
    drop("good.json", { source: "good" });
    await clock.advance("2m");
    expect(await sources()).toEqual(["good"]);
    expect(readdirSync(join(directory, "rejected")).toSorted()).toEqual(["x.json", "x.json.error.json", "z.json", "z.json.error.json"]);
    expect(lstatSync(join(directory, "rejected", "x.json.error.json")).mode & 0o777).toBe(0o600);
    expect(outside(service)).toEqual(before);
    await close();
  });

  it.each([
    ["a link to the service's folder as .claimed", "ln -s .. .claimed", /\.claimed is a symbolic link/],
    ["a link to the service's folder as rejected", "ln -s .. rejected", /rejected is a symbolic link/],
    ["a link that leads nowhere as rejected", "ln -s ../made-by-nobody rejected", /rejected is a symbolic link/],
    [
      "a directory of their own as .claimed",
      "mkdir .claimed; echo '{}' > .claimed/0123456789abcdef01234567~x.json",
      /belongs to user 65534/,
    ],
    ["a file as rejected", "echo x > rejected", /rejected is not a directory/],
    ["a link to the service's folder as processed", "ln -s .. processed", /processed is a symbolic link/],
  ])("cannot make it use %s at the start: it refuses to start", async (_, script, problem) => {
    const { service, directory } = folder();
    attack(directory, script);
    const before = outside(service);
    attack(directory, "echo '{no' > package.json; echo '{}' > good.json");
    const { scheduler } = await harness([pipeline({ id: "sales", run: () => {} })]);
    const starting = watchTriggerFiles(scheduler, { directory, polling: "1s", keepProcessed: true });
    await expect(starting).rejects.toMatchObject({ code: "UNSAFE_DIRECTORY", message: expect.stringMatching(problem) });
    expect(outside(service)).toEqual(before);
    expect(readdirSync(directory)).toEqual(expect.arrayContaining(["good.json", "package.json"]));
    expect((await scheduler.triggers({})).items).toEqual([]);
    await scheduler.stop();
  });

  it("cannot replace the service's package.json by a link in place of rejected", async () => {
    const { service, directory } = folder();
    const before = outside(service);
    const { clock, sources, close } = await watched(directory);
    attack(directory, "mv rejected r; ln -s .. rejected; echo '{\"evil\": true' > package.json");
    await clock.advance("2m");
    expect(outside(service)).toEqual(before);
    attack(directory, 'rm rejected; mv r rejected; echo \'{"source": "good"}\' > good.json');
    await clock.advance("2m");
    expect(readdirSync(join(directory, "rejected")).toSorted()).toEqual(["package.json", "package.json.error.json"]);
    expect(await sources()).toEqual(["good"]);
    expect(outside(service)).toEqual(before);
    await close();
  });

  it("cannot redirect a move by swapping the directories while files are handled", async () => {
    const { service, directory } = folder();
    const before = outside(service);
    const { clock, drop, sources, close, watcher } = await watched(directory);
    const stop = join(root, "stop"); // the shell ends by itself: killed, it would leave a mv that goes on
    const swaps = `while ! [ -e ${stop} ]; do
      mv .claimed .c 2>/dev/null && ln -s ../private .claimed; rm -f .claimed; [ -d .c ] && mv -T .c .claimed
      mv rejected r 2>/dev/null && ln -s .. rejected; rm -f rejected; [ -d r ] && mv -T r rejected
    done`;
    const child = spawn("/bin/sh", ["-c", swaps], { cwd: directory, ...NOBODY, stdio: "ignore" });
    children.add(child);
    const expected: string[] = [];
    for (let round = 0; round < 40; round++) {
      for (let n = 0; n < 10; n++) {
        drop(`good-${round}-${n}.json`, { source: `good-${round}-${n}` });
        expected.push(`good-${round}-${n}`);
      }
      drop("package.json", "{no");
      drop("secret.txt.json", "{no");
      await watcher.scan();
      await clock.advance("3s");
    }
    writeFileSync(stop, "");
    if (child.exitCode === null) await once(child, "exit");
    expect(outside(service)).toEqual(before);
    for (const [name, moved] of [
      [".claimed", ".c"],
      ["rejected", "r"],
    ] as const) {
      if (lstatSync(join(directory, name), { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(join(directory, name));
      if (!existsSync(join(directory, moved))) continue;
      mkdirSync(join(directory, name), { recursive: true, mode: 0o700 });
      for (const file of readdirSync(join(directory, moved))) renameSync(join(directory, moved, file), join(directory, name, file));
    }
    await clock.advance("3m");
    expect(await sources()).toEqual(expected.toSorted());
    expect(outside(service)).toEqual(before);
    await close();
  }, 120_000);

  it("can do nothing to working directories that lie elsewhere: files are handled all the time", async () => {
    const { service, directory } = folder();
    const workDirectory = join(service, "work");
    const before = outside(service);
    const { clock, drop, sources, watcher, problems, close } = await watched(directory, { workDirectory, keepProcessed: true });
    attack(
      directory,
      "ln -s .. .claimed; ln -s .. rejected; ln -s .. processed; ln -s ../private x.json; mkdir -p y.json/a; echo '{no' > package.json",
    );
    drop("good.json", { source: "good" });
    await clock.advance("10s");
    expect(await sources()).toEqual(["good"]);
    expect(watcher.status()).toMatchObject({ accepted: 1, rejected: 3, error: null });
    expect(problems()).toEqual([]);
    expect(readdirSync(join(workDirectory, "rejected")).length).toBe(6);
    expect(readdirSync(join(workDirectory, "processed")).length).toBe(1);
    for (const name of ["", ".claimed", "rejected", "processed"]) expect(lstatSync(join(workDirectory, name)).mode & 0o777).toBe(0o700);
    expect(() => attack(directory, "cat ../work/rejected/*")).toThrow();
    expect(outside(service)).toEqual(before);
    await close();
  });

  it("cannot have a file of the service taken through a hard link", async () => {
    const { service, directory } = folder();
    const { clock, sources, close } = await watched(directory);
    linkSync(join(service, "good-looking.json"), join(directory, "linked.json")); // as kernels without fs.protected_hardlinks let anybody do
    await clock.advance("10s");
    expect(await sources()).toEqual([]);
    expect(readFileSync(join(service, "good-looking.json"), "utf8")).toContain("the service");
    const report = JSON.parse(readFileSync(join(directory, "rejected", "linked.json.error.json"), "utf8"));
    expect(report.error).toBe("it has 2 hard links; a trigger file must have exactly one");
    await close();
  });
});

describe("the working directories of trigger files", () => {
  const open = async (options: TriggerFileOptions) => {
    const { scheduler } = await harness([pipeline({ id: "sales", run: () => {} })]);
    try {
      await (await watchTriggerFiles(scheduler, { polling: "1s", ...options })).close();
    } finally {
      await scheduler.stop();
    }
  };

  it("are made so that only the service may enter them, also where the umask would let others", async () => {
    const { directory } = folder();
    const before = process.umask(0);
    await open({ directory, keepProcessed: true }).finally(() => process.umask(before));
    for (const name of [".claimed", "rejected", "processed"]) expect(lstatSync(join(directory, name)).mode & 0o777).toBe(0o700);
  });

  it("that others may write, or that belong to others, are refused", async () => {
    const { directory, service } = folder();
    mkdirSync(join(directory, ".claimed"));
    chmodSync(join(directory, ".claimed"), 0o770);
    const refused = { code: "UNSAFE_DIRECTORY", message: expect.stringMatching(/is writable by others \(mode 0770; run chmod go-w\)/) };
    await expect(open({ directory })).rejects.toMatchObject(refused);
    chmodSync(join(directory, ".claimed"), 0o755); // as 0.1.0 made it
    await open({ directory });
    const workDirectory = join(service, "shared");
    mkdirSync(workDirectory);
    chmodSync(workDirectory, 0o777);
    await expect(open({ directory, workDirectory })).rejects.toMatchObject({ code: "UNSAFE_DIRECTORY" });
    if (!isRoot) return;
    chmodSync(workDirectory, 0o700);
    chownSync(workDirectory, NOBODY.uid, NOBODY.gid);
    await expect(open({ directory, workDirectory })).rejects.toThrow(/shared belongs to user 65534/);
  });

  it("must lie apart from the drop directory, and on the same file system", async () => {
    const { directory, service } = folder();
    const inside = { code: "INVALID_ARGUMENT", message: expect.stringMatching(/must be neither inside directory/) };
    await expect(open({ directory, workDirectory: join(directory, "work") })).rejects.toMatchObject(inside);
    await expect(open({ directory, workDirectory: directory })).rejects.toMatchObject(inside);
    await expect(open({ directory, workDirectory: service })).rejects.toMatchObject(inside);
    symlinkSync(directory, join(service, "alias"));
    await expect(open({ directory, workDirectory: join(service, "alias") })).rejects.toThrow(/must be neither inside/);
    await expect(open({ directory, workDirectory: "" })).rejects.toThrow(/workDirectory: must be a non-empty path/);
  });

  const other = "/dev/shm";
  const isOther = existsSync(other) && lstatSync(other).dev !== lstatSync(root).dev;
  it.skipIf(!isOther)("on another file system are refused with the reason", async () => {
    const { directory } = folder();
    const workDirectory = mkdtempSync(join(other, "headgate-"));
    try {
      const message = expect.stringMatching(/must be on the same file system and mount as .*put both on one volume/);
      await expect(open({ directory, workDirectory })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    } finally {
      rmSync(workDirectory, { recursive: true });
    }
  });

  it("keep what is not of headgate's making in .claimed, which is reported once", async () => {
    const { directory } = folder();
    mkdirSync(join(directory, ".claimed"), { mode: 0o700 });
    writeFileSync(join(directory, ".claimed", "secret.txt"), "TOP-SECRET");
    writeFileSync(join(directory, ".claimed", "x~good.json"), "{}");
    writeFileSync(join(directory, ".claimed", "0123456789abcdef01234567~phones.json"), '{ "source": "left" }');
    const { clock, sources, problems, close } = await watched(directory);
    await clock.advance("5m");
    expect(await sources()).toEqual(["left"]);
    expect(readdirSync(join(directory, ".claimed")).toSorted()).toEqual(["secret.txt", "x~good.json"]);
    expect(problems()).toEqual([
      expect.stringMatching(/\.claimed contains files that headgate did not claim: "secret.txt", "x~good.json"/),
    ]);
    await close();
  });

  it("that are gone are reported, and made again", async () => {
    const { directory } = folder();
    const { clock, drop, sources, problems, watcher, close } = await watched(directory);
    rmSync(join(directory, ".claimed"), { recursive: true });
    drop("good.json", { source: "good" });
    await clock.advance("5s");
    expect(await sources()).toEqual(["good"]);
    expect(problems()).toEqual([expect.stringMatching(/\.claimed was moved away or deleted while it was in use/)]);
    expect(watcher.status().error).toBeNull();
    await close();
  });

  it("of a service that has set workDirectory hold all files, and none is left in the drop directory", async () => {
    const { directory, service } = folder();
    const workDirectory = join(service, "work");
    const { clock, drop, sources, close } = await watched(directory, { workDirectory });
    drop("good.json", { source: "good" });
    drop("bad.json", "{no");
    await clock.advance("5s");
    expect(await sources()).toEqual(["good"]);
    expect(readdirSync(directory)).toEqual([]);
    expect(readdirSync(workDirectory, { recursive: true }).map(String).toSorted()).toEqual([
      ".claimed",
      "rejected",
      "rejected/bad.json",
      "rejected/bad.json.error.json",
    ]);
    await close();
  });
});

describe("a bad trigger file", () => {
  it.each([245, 250, 255])("with a name of %i bytes delays no other, and is set aside under a shorter name", async (length) => {
    const { directory } = folder();
    const { clock, drop, sources, watcher, problems, close } = await watched(directory, { settle: 0 });
    const long = `${"é".repeat((length - 5 - (length % 2 === 0 ? 1 : 0)) / 2)}${length % 2 === 0 ? "x" : ""}.json`;
    expect(Buffer.byteLength(long)).toBe(length);
    drop(long, "{no");
    drop("good.json", { source: "good" });
    await clock.advance("200ms");
    expect(await sources()).toEqual(["good"]);
    drop(long, "{no");
    await clock.advance("400ms");
    expect(watcher.status()).toMatchObject({ accepted: 1, rejected: 2, error: null });
    const names = readdirSync(join(directory, "rejected"));
    expect(names.length).toBe(4);
    const reports = names.filter((name) => name.endsWith(".error.json"));
    expect(reports.map((name) => JSON.parse(readFileSync(join(directory, "rejected", name), "utf8")).file)).toEqual([long, long]);
    expect(problems()).toEqual([]);
    await close();
  });

  it("named like a report takes no report's place", async () => {
    const { directory } = folder();
    const { clock, drop, watcher, close } = await watched(directory, { settle: 0 });
    drop("x.json", "{first");
    await clock.advance("200ms");
    drop("x.json.error.json", "{second");
    await clock.advance("200ms");
    expect(watcher.status()).toMatchObject({ rejected: 2, error: null });
    const report = JSON.parse(readFileSync(join(directory, "rejected", "x.json.error.json"), "utf8"));
    expect(report.file).toBe("x.json");
    expect(readFileSync(join(directory, "rejected", "x.json.error-2.json"), "utf8")).toBe("{second");
    await close();
  });

  it("of the same name many times over is always set aside", async () => {
    const { directory } = folder();
    const { clock, drop, watcher, close } = await watched(directory, { settle: 0 });
    for (let n = 1; n <= 30; n++) {
      drop("x.json", `{${n}`);
      await clock.advance("200ms");
    }
    expect(watcher.status()).toMatchObject({ rejected: 30, error: null });
    expect(readdirSync(join(directory, "rejected")).length).toBe(60);
    await close();
  });

  it.skipIf(!isRoot)("that can be moved nowhere waits by itself: good files are taken in the same scan", async () => {
    const { directory } = folder();
    chmodSync(directory, 0o1777); // in a sticky directory only its owner, and theirs, may move files
    writeFileSync(join(directory, "stuck.json"), "{no");
    writeFileSync(join(directory, "stuck2.json"), '{ "source": "stuck" }');
    process.seteuid?.(NOBODY.uid);
    try {
      const { clock, drop, sources, watcher, problems, close } = await watched(directory, { settle: 0 });
      for (let n = 0; n < 10; n++) {
        drop(`good${n}.json`, { source: `good${n}` });
        await clock.advance("200ms");
        expect((await sources()).length).toBe(n + 1);
      }
      await clock.advance("10m");
      expect(watcher.status().error).toMatch(/EPERM.*triggers\/stuck2?\.json.*\(and 1 more file\)/);
      expect(problems().length).toBeLessThan(60);
      expect(problems().join()).not.toContain("/proc/self/fd");
      expect(readdirSync(join(directory, "rejected"))).toEqual([]);
      process.seteuid?.(0);
      for (const name of ["stuck.json", "stuck2.json"]) chownSync(join(directory, name), NOBODY.uid, NOBODY.gid);
      process.seteuid?.(NOBODY.uid);
      await clock.advance("1m");
      expect(await sources()).toContain("stuck");
      expect(watcher.status().error).toBeNull();
      expect(readdirSync(join(directory, "rejected")).length).toBe(2);
      await close();
    } finally {
      process.seteuid?.(0);
    }
  });

  it("is never quoted in its report, in events and errors", async () => {
    const { directory } = folder();
    const { clock, drop, scheduler, close } = await watched(directory, { settle: 0 });
    const events: string[] = [];
    scheduler.on("file.rejected", ({ error }) => events.push(`${error.message} ${JSON.stringify(error)} ${error.stack}`));
    const contents = [
      "hunter2",
      '{"a": hunter2}',
      '{\n  "a": "hunter2',
      '{"a": "hunter2\\q"}',
      '{"priority": "hunter2"}',
      "hunter2\n: yes",
      '["hunter2"]',
    ];
    for (const [n, content] of contents.entries()) drop(`bad${n}.json`, content);
    await clock.advance("5s");
    const reports = readdirSync(join(directory, "rejected")).filter((name) => name.endsWith(".error.json"));
    expect(reports.length).toBe(contents.length);
    const texts = reports.map((name) => readFileSync(join(directory, "rejected", name), "utf8"));
    expect([...texts, ...events].join("\n")).not.toMatch(/hunt|unter|nter2|ter2/);
    expect(JSON.parse(texts[1] ?? "").error).toBe("the file is not JSON: expected a value at line 1, column 7");
    expect(JSON.parse(texts[2] ?? "").error).toBe("the file is not JSON: the text ends within a string at line 2, column 16");
    await close();
  });
});
