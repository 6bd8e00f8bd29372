/** Cold imports, each in a new process, from before the import to its end. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { MakeCase, Participant } from "../model.js";

/** What headgate is to take at most one and a half times as long as. */
const LIBRARIES = ["cron-parser", "zod"];
const LEAST_RATIO = 0.67;
const PEERS = ["cron-parser", "node-cron", "bullmq", "pg-boss", "graphile-worker"];
/** Packages are looked for from here upwards; headgate itself is found from its own folder only. */
const BESIDE = fileURLToPath(new URL("../peers/external/", import.meta.url));

function coldImportMs(names: readonly string[]): number {
  const imports = names.map((name) => `await import(${JSON.stringify(name)});`).join(" ");
  const code = `const from = performance.now(); ${imports} console.log(performance.now() - from)`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
    encoding: "utf8",
    ...(names.includes("headgate") ? {} : { cwd: BESIDE }),
  });
  if (stdout === "") throw new Error(stderr);
  return Number(stdout);
}

const makeCase: MakeCase = ({ isShort }) => {
  const participant = (group: string, names: readonly string[]): Participant => ({
    name: names.join(" and "),
    group,
    isReference: !names.includes("headgate"),
    targets: group === "beside its libraries" ? { import: { ratio: LEAST_RATIO } } : {},
    turn: async () => ({ import: coldImportMs(names) }),
  });
  return {
    title: "Cold import",
    measures: [{ name: "import", unit: "ms", better: "lower" }],
    participants: [
      participant("beside its libraries", ["headgate"]),
      participant("beside its libraries", LIBRARIES),
      participant("beside its peers", ["headgate"]),
      ...PEERS.map((name) => participant("beside its peers", [name])),
    ],
    rounds: isShort ? 1 : 11,
  };
};
export default makeCase;
