import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Evidence, Violation } from "./evidence.js";
import type { RoundPlan } from "./plan.js";

const SHOWN = 12;

/** What all epochs came to. */
export class Report {
  readonly violations: { readonly round: number; readonly violation: Violation }[] = [];
  readonly #faults = new Map<string, number>();
  readonly #unavailable = new Map<string, string>();
  readonly #begunAt = performance.now();
  #folder: string | null = null;
  rounds = 0;
  #counts = { triggers: 0, accepted: 0, runs: 0, attempts: 0, lost: 0, late: 0, ends: 0 };
  readonly #errors = new Map<string, number>();

  /** Adds what an epoch came to. */
  add({ faults, lines, store, requests }: Evidence, unavailable: ReadonlyMap<string, string>): void {
    for (const { family, name } of faults) count(this.#faults, `${family}: ${name}`);
    for (const [name, reason] of unavailable) this.#unavailable.set(name, reason);
    const { triggers = [], runs = [] } = store ?? {};
    const seen = this.#counts;
    seen.triggers += triggers.length;
    seen.runs += runs.length;
    seen.lost += runs.flatMap(({ attempts }) => attempts).filter(({ outcome }) => outcome === "lost").length;
    seen.accepted += requests.filter(({ acceptedAt }) => acceptedAt !== null).length;
    for (const line of lines) {
      if (line.line === "begin") seen.attempts++;
      if (line.line === "event" && line.name === "run.late_result") seen.late++;
      if (line.line === "event" && line.name === "error")
        count(this.#errors, (line.text ?? "").replaceAll(/[0-9A-HJKMNP-TV-Z]{26}|\d+/g, "…").slice(0, 160));
    }
  }

  /** Prints violations with all that is known of them, and keeps the evidence. */
  violated(violations: readonly Violation[], evidence: Evidence, plan: RoundPlan, command: string): void {
    this.#folder ??= mkdtempSync(join(tmpdir(), "headgate-chaos-violations-"));
    const faults = evidence.faults.filter(({ round }) => round === plan.round).map(describe);
    console.log(`\nround ${plan.round} (${plan.kind}, epoch ${plan.epoch}): ${violations.length} violations; again: ${command}`);
    for (const fault of faults) console.log(`  fault: ${fault}`);
    for (const violation of violations.slice(0, SHOWN)) {
      console.log(`  VIOLATION ${violation.invariant}\n    ${violation.message}`);
      for (const line of concerning(evidence, violation)) console.log(`      ${line}`);
    }
    if (violations.length > SHOWN) console.log(`  … and ${violations.length - SHOWN} more`);
    for (const violation of violations) this.violations.push({ round: plan.round, violation });
    const file = join(this.#folder, `round-${plan.round}.json`);
    const { store, ...rest } = evidence;
    const kept = store === null ? null : { ...store, nextFireAt: [...store.nextFireAt], settings: [...store.settings] };
    writeFileSync(file, JSON.stringify({ command, plan: faults, violations, evidence: { ...rest, store: kept } }));
    console.log(`  evidence: ${file}`);
  }

  summary(): string {
    const seconds = (performance.now() - this.#begunAt) / 1_000;
    const { triggers, accepted, runs, attempts, lost, late } = this.#counts;
    const rows: [string, string | number][] = [
      ["rounds", this.rounds],
      ["duration", `${seconds.toFixed(0)} s (${(seconds / Math.max(1, this.rounds)).toFixed(1)} s a round)`],
      ["triggers", triggers],
      ["requests accepted", accepted],
      ["runs", runs],
      ["functions begun", attempts],
      ["attempts lost", lost],
      ["late results refused", late],
      ["faults", [...this.#faults.values()].reduce((sum, one) => sum + one, 0)],
      ...[...this.#faults].toSorted().map(([name, n]): [string, number] => [`  ${name}`, n]),
      ...[...this.#unavailable].map(([name, reason]): [string, string] => [`  skipped: ${name}`, reason]),
      ["violations", this.violations.length],
      ...[...byInvariant(this.violations)].map(([name, n]): [string, number] => [`  ${name}`, n]),
      ...[...this.#errors]
        .toSorted(([, a], [, b]) => b - a)
        .slice(0, 8)
        .map(([text, n]): [string, number] => [`  error event: ${text}`, n]),
    ];
    return rows.map(([name, value]) => `${name.padEnd(64)} ${value}`).join("\n");
  }
}

function byInvariant(all: Report["violations"]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { violation } of all) count(counts, violation.invariant);
  return counts;
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function describe({ name, nodes, isForAll, size, from, until }: Evidence["faults"][number]): string {
  const who = isForAll ? "all" : nodes.join(", ");
  return `${name}${who === "" ? "" : ` of ${who}`}${size === 0 ? "" : ` (${size})`}, ${new Date(from).toISOString()} for ${until - from} ms`;
}

/** Records and lines of the runs and triggers that a violation names. */
function concerning({ store, lines }: Evidence, { ids }: Violation): string[] {
  const wanted = new Set(ids);
  const runs = (store?.runs ?? []).filter(({ id, triggerId }) => wanted.has(id) || wanted.has(triggerId));
  for (const { id } of runs) wanted.add(id);
  const found = [
    ...(store?.triggers ?? []).filter(({ id }) => wanted.has(id)).map((one) => `trigger ${JSON.stringify(one)}`),
    ...runs.map((one) => `run ${JSON.stringify(one)}`),
    ...lines.filter((line) => "run" in line && line.run !== null && wanted.has(line.run)).map((line) => JSON.stringify(line)),
  ];
  return found.slice(0, 16).map((text) => text.slice(0, 500));
}
