import { cpSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { folder, manifest, pack, ROOT, run, write } from "./consumer.js";

const place = folder("managers");
const bin = (name: string) => join(ROOT, "node_modules", ".bin", name);
const hasSqlite = process.getBuiltinModule("node:sqlite") !== undefined;
let registry = "";
beforeAll(async () => {
  cpSync(await pack(place), join(place, "headgate.tgz"));
  registry = (await run("npm", ["config", "get", "registry"], { cwd: ROOT })).stdout.trim();
});

/** Uses the package, then opens a SQLite file by the driver that is installed and was not built. */
const APP = `
import { createScheduler, cron, pipeline } from "headgate";
import { sqliteStore } from "headgate/sqlite";

const logger = { log: () => {} };
const daily = pipeline({ id: "daily", schedule: cron("0 2 * * *"), run: () => "done" });
const scheduler = createScheduler({ pipelines: [daily], logger });
await scheduler.start();
console.log((await scheduler.run("daily")).output);
await scheduler.stop();
const durable = createScheduler({ pipelines: [daily], logger, store: sqliteStore({ file: "./headgate.db" }) });
try {
  await durable.start();
  await durable.stop();
  console.log("opened");
} catch (error) {
  console.log(error.code, error.message);
}
`;
const REQUIRED = 'console.log(typeof require("headgate").createScheduler, typeof require("headgate/http").createTriggerApi);';
/** What the errors of package managers say where no registry answers. */
const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ERR_PNPM_META_FETCH_FAIL|RequestError/;

interface Manager {
  /** Its program, and how it says its version. */
  readonly program: string;
  readonly version: RegExp;
  readonly install: readonly string[];
  /** Runs what follows in the project. */
  readonly execute: readonly string[];
  /** Runs the command of a package. */
  readonly command: readonly string[];
  readonly files?: Readonly<Record<string, unknown>>;
}

const managers: Readonly<Record<string, Manager>> = {
  "npm, with install scripts blocked": {
    program: "npm",
    version: /^\d+\./,
    install: ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
    execute: ["exec", "--", "node"],
    command: ["exec", "--"],
  },
  "pnpm 10, which blocks install scripts": {
    program: bin("pnpm"),
    version: /^10\./,
    install: ["install", "--no-frozen-lockfile"],
    execute: ["exec", "node"],
    command: ["exec"],
    files: { ".npmrc": "store-dir=.store\nstate-dir=.state\ncache-dir=.cache\nupdate-notifier=false\n" },
  },
  "yarn 4 with Plug'n'Play": {
    program: bin("yarn"),
    version: /^4\./,
    install: ["install", "--no-immutable"],
    execute: ["node"],
    command: ["run"],
    files: {
      ".yarnrc.yml": [
        "nodeLinker: pnp",
        "enableGlobalCache: false",
        "enableMirror: false",
        "enableScripts: false",
        "enableTelemetry: false",
        "checksumBehavior: ignore",
      ].join("\n"),
      "yarn.lock": "",
    },
  },
};

describe.each(Object.entries(managers))("installed by %s", (_, { program, version, install, execute, command, files = {} }) => {
  const project = folder("installed");
  const env = { ...process.env, npm_config_registry: "", YARN_NPM_REGISTRY_SERVER: "", COREPACK_ENABLE_STRICT: "0", HOME: project };
  const call = async (args: readonly string[]) => (await run(program, args, { cwd: project, env, timeout: 240_000 })).stdout.trim();

  it("it works, without an install script, and names the command that builds SQLite", { timeout: 300_000 }, async ({ skip }) => {
    Object.assign(env, { npm_config_registry: registry, YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, "") });
    write(project, {
      "package.json": {
        name: "service",
        version: "1.0.0",
        private: true,
        dependencies: { headgate: `file:${join(place, "headgate.tgz")}`, "better-sqlite3": manifest.peerDependencies["better-sqlite3"] },
      },
      "app.mjs": APP,
      "required.cjs": REQUIRED,
      ...files,
    });
    expect(await call(["--version"])).toMatch(version);
    try {
      await call(install);
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      if (OFFLINE.test(`${stdout}${stderr}`)) skip("no registry answers: nothing can be installed");
      throw error;
    }
    const [output, sqlite] = (await call([...execute, "app.mjs"])).split("\n");
    expect(output).toBe("done");
    if (hasSqlite) expect(sqlite).toBe("opened");
    else expect(sqlite).toMatch(/^MISSING_PEER .*: npm rebuild better-sqlite3 --ignore-scripts=false \(pnpm: pnpm approve-builds\)/);
    expect(await call([...execute, "required.cjs"])).toBe("function function");
    expect(await call([...command, "headgate", "--version"])).toBe(manifest.version);
  });
});
