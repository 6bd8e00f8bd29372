/**
 * Watches types, lint and affected tests: `npm run dev`. Without arguments the tests are those of `npm run test:unit`; with paths (`npm run dev -- test/engine`) those below them, of all suites. Affected are tests that
 * import something that is not committed, however indirectly. Ctrl-C ends it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join, relative } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { styleText } from "node:util";
import { watch } from "chokidar";

type Check = "types" | "lint" | "tests";
type Verdict = "ok" | "none affected" | "FAILED";

const ROOT = process.cwd();
const UNWATCHED = /^(?:\.git|\.tmp|coverage|dist|docs\/api|node_modules)(?:\/|$)/;
/** Changes this close together are one. */
const SETTLE_MS = 200;
/** How long a program may take to end, then it is killed. */
const END_MS = 5_000;
/** Programs lead a group of processes each, so that those that they started end with them. */
const HAS_GROUPS = process.platform !== "win32";

const paths = process.argv.slice(2);
const scope = paths.length > 0 ? paths : ["--config", "vitest.unit.config.ts"];

const verdicts = new Map<Check, Verdict | null>([
  ["types", null],
  ["lint", null],
  ["tests", null],
]);
const children = new Set<ChildProcess>();
let isEnding = false;

/** Shows all three once each of them has ended. */
function set(check: Check, verdict: Verdict | null, output = ""): void {
  if (isEnding) return;
  verdicts.set(check, verdict);
  if (verdict === "FAILED") console.log(`\n${output.trim()}`);
  if ([...verdicts.values()].includes(null)) return;
  const shown = [...verdicts].map(([name, one]) => styleText(one === "FAILED" ? "red" : "green", `${name} ${one}`));
  console.log(`\n${shown.join("  ")}`);
}

/** Starts a program of this package; `onText` gets what it prints, and the promise its exit code, `null` if it has none. */
function start(program: string, args: readonly string[], onText: (text: string) => void): Promise<number | null> {
  const child = spawn(join(ROOT, "node_modules/.bin", program), args, {
    cwd: ROOT,
    detached: HAS_GROUPS,
    env: { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}) },
    shell: !HAS_GROUPS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", onText);
  return new Promise((resolve) => {
    const onEnd = (code: number | null) => {
      children.delete(child);
      resolve(code);
    };
    child.once("close", onEnd).once("error", (error) => {
      onText(error.message);
      onEnd(null);
    });
  });
}

/** A check that runs from its start to its end, again after each change, and never twice at once. */
class Repeated {
  readonly #check: Check;
  readonly #command: readonly [program: string, ...args: string[]];
  #isRunning = false;
  #isAgain = false;

  constructor(check: Check, command: readonly [program: string, ...args: string[]]) {
    this.#check = check;
    this.#command = command;
  }

  async run(): Promise<void> {
    this.#isAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#isAgain && !isEnding) {
      this.#isAgain = false;
      set(this.#check, null);
      const [program, ...args] = this.#command;
      let output = "";
      const code = await start(program, args, (text) => {
        output += text;
      });
      if (!this.#isAgain) set(this.#check, verdictOf(code, output), output);
    }
    this.#isRunning = false;
  }
}

function verdictOf(code: number | null, output: string): Verdict {
  if (code !== 0) return "FAILED";
  return /^No test files found/m.test(output) ? "none affected" : "ok";
}

/** The compiler watches by itself, and knows what a change concerns. */
async function watchTypes(): Promise<void> {
  let output = "";
  const code = await start("tsc", ["--watch", "--preserveWatchOutput", "-p", "."], (text) => {
    output += text;
    const found = /Found (\d+) errors?\. Watching for file changes/.exec(output);
    if (found !== null) {
      set("types", found[1] === "0" ? "ok" : "FAILED", output);
      output = "";
    } else if (/Starting (?:incremental )?compilation/.test(text)) set("types", null);
  });
  set("types", "FAILED", `${output}\ntsc has ended (${code})`);
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (HAS_GROUPS && child.pid !== undefined) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // it has ended meanwhile
  }
}

async function end(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  const ended = Promise.all([...children].map((child) => new Promise((resolve) => child.once("close", resolve))));
  for (const child of children) kill(child, "SIGTERM");
  await Promise.race([Promise.all([ended, watcher.close()]), wait(END_MS)]);
  for (const child of children) kill(child, "SIGKILL");
  process.exit(0);
}

const lint = new Repeated("lint", ["biome", "check", "."]);
const tests = new Repeated("tests", ["vitest", "run", "--changed", "--passWithNoTests", ...scope]);
let stopTimer = () => {};
const watcher = watch(ROOT, { ignoreInitial: true, ignored: (path) => UNWATCHED.test(relative(ROOT, path).replaceAll("\\", "/")) });
watcher.on("all", () => {
  stopTimer();
  const timer = setTimeout(() => {
    void lint.run();
    void tests.run();
  }, SETTLE_MS);
  stopTimer = () => clearTimeout(timer);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end);

console.log(`types, lint and affected tests (${paths.length > 0 ? paths.join(", ") : "the unit suites"}); Ctrl-C ends`);
void watchTypes();
void lint.run();
void tests.run();
