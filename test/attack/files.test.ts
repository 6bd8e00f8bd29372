import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type TriggerFileOptions, watchTriggerFiles } from "../../src/adapters/files/index.js";
import { pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { scaled } from "./scale.js";

const NOBODY = 65_534;
/** Another uid can only be taken on by root. */
const isRoot = process.getuid?.() === 0 && process.platform === "linux";
const root = mkdtempSync(join(tmpdir(), "headgate-planted-"));
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const SECRET = "the secret of the service";
const TRIGGER = JSON.stringify({ source: "somebody", parameters: { planted: true } });

interface Place {
  /** Where everybody may drop files, as drop directories are. */
  readonly drop: string;
  /** A folder of the service that nobody else may enter. */
  readonly secret: string;
  /** What the secret folder holds. */
  secrets(): Readonly<Record<string, string>>;
  /** Runs shell commands as nobody, in the drop directory; `$SECRET` is the secret folder. */
  asNobody(script: string): void;
}

let made = 0;
function place(): Place {
  const own = join(root, String(made++));
  const [drop, secret] = [join(own, "drop"), join(own, "secret")];
  mkdirSync(drop, { recursive: true });
  mkdirSync(secret);
  chmodSync(own, 0o755);
  chmodSync(drop, 0o777);
  writeFileSync(join(secret, "secret.txt"), SECRET, { mode: 0o600 });
  writeFileSync(join(secret, "valid.json"), TRIGGER, { mode: 0o600 });
  writeFileSync(join(secret, `${"a".repeat(24)}~valid.json`), TRIGGER, { mode: 0o600 });
  writeFileSync(join(secret, "schedule_config.yaml"), "pipelines: {}\n", { mode: 0o600 });
  chmodSync(secret, 0o700);
  return {
    drop,
    secret,
    secrets: () =>
      Object.fromEntries(
        readdirSync(secret).map((name) => [
          name,
          statSync(join(secret, name)).isFile() ? readFileSync(join(secret, name), "utf8") : "not a file",
        ]),
      ),
    asNobody: (script) =>
      execFileSync("sh", ["-c", script], { cwd: drop, uid: NOBODY, gid: NOBODY, env: { PATH: process.env.PATH, SECRET: secret } }),
  };
}

/** Watches a drop directory as root for some looks, with what is planted before it begins and while it goes on. */
async function watched(
  { drop, asNobody }: Place,
  { before = "true", during = "true", after = "true" },
  files: Partial<TriggerFileOptions> = {},
) {
  const { scheduler, clock } = await harness([pipeline({ id: "sales", run: () => {} })]);
  asNobody(before);
  // a watcher that does not begin in such a place has done no harm
  const watcher = await watchTriggerFiles(scheduler, { directory: drop, polling: "1s", settle: "1s", ...files }).catch(() => null);
  const look = async () => {
    await watcher?.scan();
    for (let count = 0; count < 3; count++) await clock.advance("15s"); // what was left in .claimed is taken after 30 s
    await watcher?.scan();
  };
  await look();
  asNobody(during);
  await look();
  asNobody(after);
  await look();
  const triggers = (await scheduler.triggers({ limit: 1_000 })).items;
  await watcher?.close();
  await scheduler.stop({ drain: 0 });
  return { triggers, isWatching: watcher !== null };
}

const BAD = "printf 'no json' > bad.json";
/** What somebody who may write into the drop directory plants there, in shell commands. */
const PLANTED: Readonly<Record<string, string>> = {
  "a link for .claimed": "rm -rf .claimed; mv .claimed .c 2>/dev/null; ln -s $SECRET .claimed",
  "a link for rejected": `mv rejected r 2>/dev/null; ln -s $SECRET rejected; ${BAD}`,
  "a link for processed": "mv processed p 2>/dev/null; ln -s $SECRET processed; echo '{}' > good.json",
  "a link for .claimed and a place for what is taken":
    "mv .claimed .c 2>/dev/null; ln -s $SECRET .claimed; mv rejected r 2>/dev/null; mkdir -m 777 rejected",
  "a link to the configuration as a report": `mkdir -p -m 777 rejected; ln -sf $SECRET/schedule_config.yaml rejected/bad.json.error.json; ${BAD}`,
  "a link to a new file as a report": `mv rejected r 2>/dev/null; mkdir -m 777 rejected; ln -s $SECRET/made-by-nobody rejected/bad.json.error.json; ${BAD}`,
  "a link to the configuration in place of what is set aside": `mv rejected r 2>/dev/null; mkdir -m 777 rejected; ln -s $SECRET/schedule_config.yaml rejected/bad.json; ${BAD}`,
  "reports for all names that are tried": `mv rejected r 2>/dev/null; mkdir -m 777 rejected; ln -s $SECRET/n rejected/bad.json.error.json; for i in 2 3 4 5 6 7 8 9; do ln -s $SECRET/n$i rejected/bad-$i.json.error.json; done; ${BAD}`,
  "links as taken files": `mv .claimed .c 2>/dev/null; mkdir -m 777 .claimed; ln -s $SECRET/secret.txt .claimed/${"b".repeat(24)}~secret.json; ln -s $SECRET/valid.json .claimed/${"c".repeat(24)}~valid.json; ln -s $SECRET .claimed/x`,
  "links as trigger files":
    "ln -s $SECRET/secret.txt s.json; ln -s $SECRET/valid.json v.json; ln -s $SECRET d.json; ln -s ../secret/valid.json r.trigger; ln -s loop.json loop.json",
  "a link to a link": "ln -s $SECRET inner; mv .claimed .c 2>/dev/null; ln -s inner .claimed",
  "a link that dangles": `mv rejected r 2>/dev/null; ln -s $SECRET/new rejected; ${BAD}`,
  "files for the directories": `mv .claimed .c 2>/dev/null; mv rejected r 2>/dev/null; echo x > .claimed; echo x > rejected; ${BAD}`,
  "pipes and directories as trigger files":
    "mkfifo p.json; mkdir d.json; mkdir -p deep.trigger/deep; mkfifo .claimed/p.json 2>/dev/null; true",
  "a hard link": `ln $SECRET/valid.json h.json 2>/dev/null; ${BAD}`,
  "names that are paths": `printf x > '..%2fsecret%2fx.json'; printf x > '.. .json'; printf x > "$(printf 'a\\nb').json"; printf x > '-rf.json'; printf x > '~.json'`,
};

describe.runIf(isRoot)("somebody who may write into the drop directory of a service of root", () => {
  const cases = Object.entries(PLANTED).flatMap(([name, script]) =>
    (["before", "during"] as const).map((when) => [name, when, script] as const),
  );
  it.each(cases)("has nothing read, moved, made, overwritten or deleted by %s, planted %s", async (_, when, script) => {
    const one = place();
    const before = one.secrets();
    const { triggers } = await watched(one, { [when]: script }, { keepProcessed: true });
    expect(one.secrets()).toEqual(before);
    expect(triggers.filter(({ parameters }) => JSON.stringify(parameters).includes("planted"))).toEqual([]);
    const found = readable(one);
    expect(found).not.toContain(SECRET.slice(0, 10));
    expect(found).not.toContain("pipelines:");
  });

  it("has nothing of others touched by a race: directories that become links and back, as fast as that goes", async () => {
    const one = place();
    const before = one.secrets();
    const { scheduler, clock } = await harness([pipeline({ id: "sales", run: () => {} })]);
    const watcher = await watchTriggerFiles(scheduler, { directory: one.drop, polling: "1s", settle: "1s", keepProcessed: true });
    const script = `const fs = require("node:fs"); const secret = process.env.SECRET; process.chdir(${JSON.stringify(one.drop)});
      const quiet = (work) => { try { work(); } catch {} };
      for (let n = 0; ; n++) for (const name of [".claimed", "rejected", "processed"]) {
        quiet(() => fs.writeFileSync(n % 2 ? "bad" + (n % 20) + ".json" : "good" + (n % 20) + ".json", n % 2 ? "no json" : "{}"));
        quiet(() => fs.renameSync(name, name + ".old")); quiet(() => fs.symlinkSync(secret, name));
        quiet(() => fs.unlinkSync(name)); quiet(() => fs.renameSync(name + ".old", name));
      }`;
    const attacker = spawn(process.execPath, ["-e", script], { uid: NOBODY, gid: NOBODY, env: { SECRET: one.secret }, stdio: "ignore" });
    try {
      for (let round = 0; round < scaled(200, 2_000); round++) {
        await watcher.scan();
        await clock.advance("5s");
      }
    } finally {
      attacker.kill("SIGKILL");
      await once(attacker, "exit");
    }
    await watcher.close();
    await scheduler.stop({ drain: 0 });
    expect(one.secrets()).toEqual(before);
    expect(readable(one)).not.toContain(SECRET.slice(0, 10));
  });

  it("keeps nobody else's files from being taken, by a name of any length", async () => {
    const one = place();
    const names = [240, 244, 245, 250, 255].map((length) => `${"n".repeat(length - ".json".length)}.json`);
    const { triggers } = await watched(one, {
      before: names.map((name) => `printf 'no json' > ${name}`).join("; "),
      during: `echo '{"parameters":{"is":"good"}}' > good.json`,
    });
    expect(triggers).toHaveLength(1);
    expect(readdirSync(one.drop).filter((name) => name.startsWith("nnn"))).toEqual([]);
  });

  it("finds what it may not know in no report: a bad file's content is not quoted", async () => {
    const one = place();
    await watched(one, { before: `printf 'hunter2pw' > one.json; printf '{"a": s3cr3tkey}' > two.json` });
    expect(readable(one, (name) => name.endsWith(".error.json"))).not.toMatch(/hunter2|s3cr3t/);
  });
});

/** Everything that nobody can read below the drop directory. */
function readable({ drop }: Place, wanted: (name: string) => boolean = () => true): string {
  const list = execFileSync("sh", ["-c", "find . -type f -readable -print0 2>/dev/null || true"], {
    cwd: drop,
    uid: NOBODY,
    gid: NOBODY,
    encoding: "utf8",
  }).split("\0");
  const names = list.filter((name) => name !== "" && wanted(name));
  return names.map((name) => execFileSync("cat", ["--", name], { cwd: drop, uid: NOBODY, gid: NOBODY, encoding: "utf8" })).join("\n");
}
