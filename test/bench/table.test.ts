import { describe, expect, it } from "vitest";
import { disturbance, type Load } from "../../bench/machine.js";
import type { Case, Participant } from "../../bench/model.js";
import { HEADINGS, type Outcome, ratioRows } from "../../bench/table.js";
import { takeTurns } from "../../bench/turns.js";

const QUIET: Load = { average: 0.2, others: 0 };

function participant(name: string, figures: readonly number[], rest: Partial<Participant> = {}): Participant {
  let turn = 0;
  return { name, isReference: name !== "headgate", turn: async () => ({ time: figures[turn++] ?? Number.NaN }), ...rest };
}

function caseOf(participants: readonly Participant[], rest: Partial<Case> = {}): Case {
  return { title: "a case", measures: [{ name: "time", unit: "ms", better: "lower" }], participants, rounds: 3, ...rest };
}

async function outcomeOf(made: Case, rest: Partial<Outcome> = {}): Promise<Outcome> {
  return {
    name: "case",
    title: made.title,
    results: await takeTurns("case", made),
    before: QUIET,
    after: QUIET,
    disturbance: null,
    ...rest,
  };
}

async function cellsOf(made: Case, rest: Partial<Outcome> = {}): Promise<Record<string, string | undefined>> {
  const [row = []] = ratioRows([await outcomeOf(made, rest)]);
  return Object.fromEntries(HEADINGS.map((heading, index) => [heading, row[index]]));
}

describe("the benchmark", () => {
  it("lets another participant begin in each round, and leaves out the rounds that warm up", async () => {
    const order: string[] = [];
    const made = caseOf([participant("headgate", [9, 1, 2, 3]), participant("a", [9, 1, 2, 3])], { warmUps: 1 });
    const results = await takeTurns("case", made, ({ name }) => order.push(name));
    expect(order).toEqual(["headgate", "a", "a", "headgate", "headgate", "a", "a", "headgate"]);
    expect(results.map(({ values }) => values)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it("refuses a figure that is none", async () => {
    await expect(takeTurns("case", caseOf([participant("headgate", [1, 2])]))).rejects.toThrow(/headgate has no figure for "time"/);
  });

  it("compares with the best of the group, turn by turn, and says above 1 where headgate is better", async () => {
    const slow = participant("slow", [90, 90, 90]);
    const best = participant("best", [10, 20, 40]);
    const elsewhere = participant("elsewhere", [1, 1, 1], { group: "another" });
    expect(await cellsOf(caseOf([participant("headgate", [10, 10, 10]), slow, best, elsewhere]))).toMatchObject({
      headgate: "10 (10–10)",
      "compared with": "best: 20 (10–40)",
      ratio: "2 (1–4)",
    });
  });

  it("says whether a target is met, where the machine had nothing else to do", async () => {
    const made = (target: number) =>
      caseOf([participant("headgate", [10, 10, 10], { targets: { time: { ratio: target } } }), participant("a", [20, 20, 20])]);
    expect(await cellsOf(made(2))).toMatchObject({ target: "ratio ≥ 2", verdict: "met" });
    expect(await cellsOf(made(3))).toMatchObject({ verdict: "missed" });
    const busy = disturbance(QUIET, { average: 9, others: 1_000 });
    expect(busy).toMatch(/^others used 1000\.0 of \d+ processors$/);
    expect(await cellsOf(made(3), { disturbance: busy })).toMatchObject({ verdict: "none: busy" });
    expect(disturbance(QUIET, QUIET)).toBeNull();
  });

  it("has targets of figures too, at most where less is better", async () => {
    const made = caseOf([participant("headgate", [10, 10, 30], { targets: { time: { value: 10 } } })]);
    expect(await cellsOf(made)).toMatchObject({ target: "≤ 10", verdict: "met", ratio: "", "compared with": "" });
  });
});
