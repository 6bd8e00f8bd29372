import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { connect, sqliteProblem } from "../../src/adapters/shared/sqlite-driver.js";
import { folder, manifest, pack, ROOT, run } from "./consumer.js";

const BIN = join(ROOT, "node_modules", ".bin");
const project = folder("consumer");
/** Node has SQLite of its own. */
const isBuiltIn = process.getBuiltinModule("node:sqlite") !== undefined;
let tarball = "";
let packed: readonly string[] = [];

beforeAll(async () => {
  tarball = await pack(project);
  packed = (await run("tar", ["-tzf", tarball])).stdout
    .trim()
    .split("\n")
    .map((name) => name.replace("package/", ""));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", version: "1.0.0", private: true, type: "module" }));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", tarball], { cwd: project });
});

const USE = `
const played = await simulate({
  pipelines: [pipeline({ id: "hourly", schedule: cron("0 * * * *"), run: () => {} })],
  from: "2026-01-01", to: "2026-01-02",
});
console.log(played.counts.runs);`;

describe("the packed package", () => {
  it("passes publint", async () => {
    const { stdout } = await run(join(BIN, "publint"), ["run", tarball, "--strict"]);
    expect(stdout).toContain("All good!");
  });

  it("passes are-the-types-wrong", async () => {
    const { stdout } = await run(join(BIN, "attw"), [tarball, "--format", "json", "--profile", "node16"]);
    const { analysis } = JSON.parse(stdout) as {
      analysis: { entrypoints: Record<string, unknown>; problems: readonly { resolutionKind?: string }[] };
    };
    expect(Object.keys(analysis.entrypoints)).toEqual(expect.arrayContaining([".", "./testing", "./holidays"]));
    expect(analysis.problems.filter(({ resolutionKind }) => resolutionKind !== "node10")).toEqual([]);
  });

  it("is imported by an ES module", async () => {
    writeFileSync(
      join(project, "esm.mjs"),
      `import { cron, pipeline } from "headgate";\nimport { simulate } from "headgate/testing";${USE}`,
    );
    expect((await run(process.execPath, ["esm.mjs"], { cwd: project })).stdout.trim()).toBe("24");
  });

  it("is required by a CommonJS module", async () => {
    const code = `const { cron, pipeline } = require("headgate");\nconst { simulate } = require("headgate/testing");\n(async () => {${USE}\n})();`;
    writeFileSync(join(project, "common.cjs"), code);
    expect((await run(process.execPath, ["common.cjs"], { cwd: project })).stdout.trim()).toBe("24");
  });

  it.skipIf(sqliteProblem() !== null).each(["esm", "common"])("reads SQLite in a process of its own, and ends it, as %s", async (kind) => {
    if (!isBuiltIn) symlinkSync(join(ROOT, "node_modules", "better-sqlite3"), join(project, "node_modules", "better-sqlite3"));
    const file = join(project, `${kind}.db`);
    const connection = connect(file);
    connection.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    connection.close();
    const imports = kind === "esm" ? 'import { sqlNumber } from "headgate/probes";' : 'const { sqlNumber } = require("headgate/probes");';
    const code = `${imports}
(async () => {
  const url = "sqlite:" + process.argv[2];
  const look = (query, ms) => sqlNumber({ url, query }).measure({ signal: AbortSignal.timeout(ms), now: 0 });
  const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
  console.log(await look("SELECT count(*) FROM t", 20000), await look(endless, 500).catch((error) => error.name));
})();`;
    const script = `sqlite.${kind === "esm" ? "mjs" : "cjs"}`;
    writeFileSync(join(project, script), code);
    try {
      const { stdout } = await run(process.execPath, [script, file], { cwd: project, timeout: 60_000 });
      expect(stdout.trim()).toBe("2 TimeoutError");
    } finally {
      rmSync(join(project, "node_modules", "better-sqlite3"), { force: true });
    }
  });

  it("has a client that a browser can load: nothing of Node in it, nor in what it imports", () => {
    const seen = new Set<string>();
    const walk = (name: string): string => {
      if (seen.has(name)) return "";
      seen.add(name);
      const text = readFileSync(join(ROOT, "dist", name), "utf8");
      const imports = [...text.matchAll(/^import [^"']*?from\s*["']([^"']+)["']|^import\s*["']([^"']+)["']/gm)].map(
        ([, from, bare]) => from ?? bare ?? "",
      );
      expect(imports.filter((one) => !one.startsWith("./"))).toEqual([]);
      return text + imports.map((one) => walk(one.slice(2))).join("");
    };
    expect(walk("client.js")).not.toMatch(/\bBuffer\b|\bprocess\.|require\(/);
  });

  it("gives its types to a nodenext TypeScript consumer", async () => {
    const code = `import { createScheduler, cron, HeadgateError, pipeline, type Decision } from "headgate";
import { fakeClock, simulate } from "headgate/testing";
import { z } from "zod";
const one = pipeline({
  id: "typed",
  schedule: cron("0 * * * *"),
  parameters: z.object({ rows: z.number().default(1) }),
  run: ({ parameters }) => {
    const rows: number = parameters.rows;
    // @ts-expect-error there is no such parameter
    parameters.columns;
    return rows;
  },
});
// @ts-expect-error an unknown option
export const unknownOption = () => pipeline({ id: "x", retries: 3, run: () => {} });
const scheduler = createScheduler({ pipelines: [one], clock: fakeClock() });
scheduler.on("decision", ({ decision }: { decision: Decision }) => decision.outcome satisfies "run" | "hold" | "skip");
// @ts-expect-error an unknown event
export const unknownEvent = () => scheduler.on("decisions", () => {});
export const typed = async () => {
  const outcome = await scheduler.run(one, { parameters: { rows: 2 } });
  if (outcome.status === "succeeded") outcome.output satisfies number;
  // @ts-expect-error rows are a number
  await scheduler.trigger("typed", { parameters: { rows: "2" } });
};
console.log(HeadgateError.name);${USE}`;
    writeFileSync(join(project, "typed.mts"), code);
    const options = {
      module: "nodenext",
      moduleResolution: "nodenext",
      target: "es2022",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      lib: ["es2023"],
      types: ["node"],
      typeRoots: [join(ROOT, "node_modules", "@types")],
      outDir: "out",
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["typed.mts"] }));
    const compiled = await run(join(BIN, "tsc"), ["-p", project], { cwd: project }).catch((error: { stdout: string }) => error);
    expect(compiled.stdout).toBe("");
    expect((await run(process.execPath, [join("out", "typed.mjs")], { cwd: project })).stdout.trim().split("\n")).toEqual([
      "HeadgateError",
      "24",
    ]);
  });

  it("brings the command, which serves with what is installed", async () => {
    const bin = join(project, "node_modules", ".bin", "headgate");
    expect((await run(bin, ["--version"])).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
    await run(bin, ["init", "own.yaml"], { cwd: project });
    expect((await run(bin, ["validate", "own.yaml"], { cwd: project })).stdout).toMatch(/^valid: own.yaml/);
    const service = spawn(bin, ["serve", "own.yaml", "--port", "0"], {
      cwd: project,
      env: { ...process.env, DATABASE_URL: "memory:", PIPELINE_API_TOKEN: "a-token-of-the-package-test" },
    });
    let log = "";
    for await (const chunk of service.stdout) {
      log += String(chunk);
      if (log.includes('"message":"ready"')) break;
    }
    const { url } = JSON.parse(log.split("\n").find((line) => line.includes('"ready"')) ?? "{}");
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    service.kill("SIGTERM");
    expect((await once(service, "exit"))[0]).toBe(0);
  });

  it.skipIf(isBuiltIn)(
    "serves where there is no SQLite, in memory, and says so and what to do; a store that was chosen is not replaced",
    async () => {
      const bin = join(project, "node_modules", ".bin", "headgate");
      const cwd = folder("no-sqlite");
      const { DATABASE_URL: _, ...env } = process.env;
      const service = spawn(bin, ["serve", "--port", "0"], { cwd, env });
      let log = "";
      for await (const chunk of service.stdout) {
        log += String(chunk);
        if (log.includes('"message":"ready"')) break;
      }
      const [first, ...lines] = log
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(first).toMatchObject({ level: "error", store: "memory", message: expect.stringContaining("is lost when this ends") });
      expect(first.advice).toMatch(/: npm install better-sqlite3, or run Node 22\.13 or newer; or set DATABASE_URL$/);
      expect(lines.at(-1)).toMatchObject({ message: "ready", store: "memory" });
      service.kill("SIGTERM");
      expect((await once(service, "exit"))[0]).toBe(0);
      const chosen = { ...env, DATABASE_URL: "sqlite:./headgate.db" };
      const refused = await run(bin, ["serve", "--port", "0"], { cwd, env: chosen }).catch(
        (error: { code: number; stderr: string }) => error,
      );
      expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("npm install better-sqlite3") });
    },
  );

  it("brings no optional peer, and says what to install for the entry point that needs one", async () => {
    writeFileSync(
      join(project, "peer.mjs"),
      `import { publicHolidays } from "headgate/holidays";\ntry { publicHolidays({ country: "DE" }); } catch (error) { console.log(error.code, error.message); }`,
    );
    const { stdout } = await run(process.execPath, ["peer.mjs"], { cwd: project });
    expect(stdout.trim()).toBe("MISSING_PEER publicHolidays needs the package date-holidays: npm install date-holidays");
  });

  it("has no library in its files: each is a dependency that npm lists once, and audits", async () => {
    const { dependencies } = manifest;
    const libraries = packed
      .filter((name) => name.endsWith(".js"))
      .filter((name) => /^\/\/ \S*node_modules\//m.test(readFileSync(join(ROOT, name), "utf8")));
    expect(libraries).toEqual(["dist/cjs/p-queue.js"]); // has no CommonJS form of its own
    const { stdout } = await run("npm", ["ls", "--all", "--parseable"], { cwd: project });
    const installed = stdout.trim().split("\n");
    for (const name of Object.keys(dependencies)) expect(installed.filter((path) => path.endsWith(`node_modules/${name}`))).toHaveLength(1);
    const sbom = JSON.parse((await run("npm", ["sbom", "--sbom-format", "cyclonedx"], { cwd: project })).stdout);
    expect(sbom.components.map((one: { name: string }) => one.name)).toEqual(expect.arrayContaining(Object.keys(dependencies)));
  });

  it("is published as code that can be read, in files that are called as their folders in the source", () => {
    for (const name of packed.filter((one) => /^dist\/.*\.js$/.test(one))) {
      const text = readFileSync(join(ROOT, name), "utf8");
      const rooms = [...text.matchAll(/^\/\/ src\/(\S+)\/[\w-]+\.ts$/gm)].map(([, room = ""]) => room);
      const library = /^dist\/(?:cjs\/)?lib\/(\S+)\.js$/.exec(name)?.[1];
      if (library !== undefined)
        expect([name, rooms.filter((room) => !`${library}/`.startsWith(`${room.split("/")[0]}/`))]).toEqual([name, []]);
      expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(1_000);
      expect(name).not.toMatch(/[-.][A-Z0-9]{8}\./);
    }
  });

  it("has maps only with their sources: whatever a stack names can be opened", async () => {
    const maps = packed.filter((name) => name.endsWith(".map"));
    const sources = maps.flatMap((name) => {
      const map = JSON.parse(readFileSync(join(ROOT, name), "utf8")) as { sources: readonly string[]; sourcesContent: readonly string[] };
      return map.sources.map((source, index) => [posix.join(dirname(name), source), map.sourcesContent[index]] as const);
    });
    expect(sources.length).toBeGreaterThan(50);
    for (const [source, content] of sources) expect(content).toBe(readFileSync(join(ROOT, source), "utf8"));
    for (const name of packed.filter((one) => /^dist\/.*\.js$/.test(one)))
      expect(/sourceMappingURL=/.test(readFileSync(join(ROOT, name), "utf8"))).toBe(maps.includes(`${name}.map`));
    writeFileSync(join(project, "stack.mjs"), 'import { cron } from "headgate";\ncron("61 * * * *");');
    const { stderr } = await run(process.execPath, ["--enable-source-maps", "stack.mjs"], { cwd: project }).catch(
      (error: { stderr: string }) => error,
    );
    expect(stderr).toMatch(/src\/schedule\/cron[\w-]*\.ts:\d+/);
  });

  it("declares each entry point once, for import and require alike", () => {
    for (const target of Object.values(manifest.exports)) {
      if (typeof target === "string") continue;
      const { import: imported, require: required } = target as Record<string, { readonly types: string }>;
      const name = posix.basename(required?.types ?? "");
      expect(readFileSync(join(ROOT, imported?.types ?? ""), "utf8")).toBe(`export * from "./${name.replace(".d.cts", ".cjs")}";\n`);
    }
  });

  it("has links that lead to something in it", () => {
    const pages = packed.filter((name) => name.endsWith(".md"));
    expect(pages).toEqual(expect.arrayContaining(["README.md", "AGENTS.md", "docs/getting-started.md"]));
    const dead = pages.flatMap((page) =>
      [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)]
        .map(([, link = ""]) => posix.join(dirname(page), link))
        .filter((path) => !packed.some((name) => name === path || name.startsWith(`${path.replace(/\/$/, "")}/`)))
        .map((path) => `${page}: ${path}`),
    );
    expect(dead).toEqual([]);
  });

  it("stays small, and holds nothing but what is published", () => {
    expect(statSync(tarball).size).toBeLessThan(1_000_000);
    const published =
      /^(?:dist\/|docs\/.*\.(?:md|svg)$|examples\/(?:service|store-json)\/|(?:package\.json|LICENSE|(?:README|AGENTS|CHANGELOG|CONTRIBUTING|SECURITY)\.md)$)/;
    expect(packed.filter((name) => !published.test(name))).toEqual([]);
    expect(
      packed.filter((name) => /secret|\.db|\.env/.test(name) && !name.endsWith("make-secrets.sh") && !name.startsWith("dist/")),
    ).toEqual([]);
  });

  it("runs nothing when it is installed, and has no dependency that does", async () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).filter((name) => /^(?:pre|post)?(?:install|prepare)$/.test(name))).toEqual([]);
    const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    expect(Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript)).toEqual([]);
    expect(existsSync(join(project, "node_modules", "better-sqlite3"))).toBe(false);
  });
});
