import type { CheckName } from "./check/report.js";
import type { Judged } from "./judge.js";
import { NOT_YET } from "./not-yet.js";
import type { StoreName } from "./places.js";

const COLUMNS = ["worlds", "fireTimes", "decisions", "runs", "answers", "backtests"] as const;

/** What was played and checked, by store, and which checks failed in how many worlds. */
export class Summary {
  readonly #stores = new Map<StoreName, Record<(typeof COLUMNS)[number], number>>();
  readonly #failed = new Map<CheckName, number[]>();

  add({ world, reports }: Judged): void {
    for (const [store, { counts, violations }] of reports) {
      const sums = this.#stores.get(store) ?? { worlds: 0, fireTimes: 0, decisions: 0, runs: 0, answers: 0, backtests: 0 };
      sums.worlds++;
      for (const name of ["fireTimes", "decisions", "runs", "answers", "backtests"] as const) sums[name] += counts[name];
      this.#stores.set(store, sums);
      for (const check of new Set(violations.map((one) => one.check))) {
        const seeds = this.#failed.get(check) ?? [];
        if (seeds.at(-1) !== world.seed) seeds.push(world.seed);
        this.#failed.set(check, seeds);
      }
    }
  }

  text(): string {
    const row = (cells: readonly (string | number)[]) =>
      cells.map((cell, index) => String(cell)[index === 0 ? "padEnd" : "padStart"](12)).join("");
    const lines = [row(["", "worlds", "fire times", "decisions", "runs", "explained", "backtests"])];
    for (const [store, sums] of this.#stores) lines.push(row([store, ...COLUMNS.map((name) => sums[name])]));
    for (const [check, seeds] of this.#failed) {
      const reason = NOT_YET[check];
      lines.push(
        `${check}: fails in ${seeds.length} worlds (seeds ${seeds.slice(0, 5).join(", ")})${reason === undefined ? "" : `; not held yet: ${reason}`}`,
      );
    }
    return lines.join("\n");
  }
}
