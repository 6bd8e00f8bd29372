import { type Evidence, stalledMs, type Violation } from "../evidence.js";
import { iso } from "./fire-times.js";
import { wasHealthy } from "./health.js";

const GOES_ON = "healthy nodes go on within lease + 2 s while others are struck";
const BOUND_MS = 2_000;
/** The most that a busy machine may be blamed for, ms. */
const MOST_EXCUSED_MS = 4_000;

/** While a fault strikes some nodes, the others begin runs without a gap longer than lease + 2 s. */
export function progress(evidence: Evidence): Violation[] {
  const { lines, faults, lives, leaseMs, workingUntil } = evidence;
  const begins = lines.filter((line) => line.line === "begin");
  return faults.flatMap((fault) => {
    if (fault.isForAll || fault.nodes.length === 0) return [];
    const [from, until] = [fault.from, Math.min(workingUntil, fault.until + leaseMs + BOUND_MS)];
    const healthy = new Set(
      lives.filter(({ node, role }) => role === "node" && wasHealthy(evidence, node, from - 500, until)).map(({ node }) => node),
    );
    if (healthy.size === 0) return [];
    const times = [from, ...begins.filter(({ node, at }) => healthy.has(node) && at > from && at < until).map(({ at }) => at), until];
    for (const [index, at] of times.entries()) {
      const before = times[index - 1] ?? at;
      const bound = leaseMs + BOUND_MS + Math.min(MOST_EXCUSED_MS, stalledMs(evidence, before, at));
      if (at - before > bound) {
        const message = `${[...healthy].join(", ")} began nothing from ${iso(before)} for ${at - before} ms while ${fault.name} struck ${fault.nodes.join(", ")}`;
        return [{ invariant: GOES_ON, message, ids: [], at: before }];
      }
    }
    return [];
  });
}

/** No process ends by itself, and none lets an exception go uncaught. */
export function processes({ lives, lines }: Evidence): Violation[] {
  const invariant = "no process dies by itself";
  const died = lives.flatMap(({ node, end, exit, until }) => {
    const isClean = end === "killed" || end === null || (end === "terminated" && exit === "0");
    return isClean ? [] : [{ invariant, message: `${node} ${end}: ${exit}`, ids: [], at: until }];
  });
  const uncaught = lines.flatMap((line) =>
    line.line === "uncaught" ? [{ invariant, message: `${line.node}: ${line.text}`, ids: [], at: line.at }] : [],
  );
  return [...died, ...uncaught];
}
