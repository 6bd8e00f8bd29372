import { describe, expect, it } from "vitest";
import { TurnBudget } from "../../src/base/turn-budget.js";

/** Turns that a test takes by hand. */
function byHand() {
  let now = 0;
  const waiting: (() => void)[] = [];
  const yields = () => new Promise<void>((resolve) => waiting.push(resolve));
  return {
    turns: { monotonic: () => now, yield: yields },
    spend: (ms: number) => {
      now += ms;
    },
    turn: async () => {
      for (const resolve of waiting.splice(0)) resolve();
      await Promise.resolve();
      await Promise.resolve();
    },
    get asked() {
      return waiting.length;
    },
  };
}

describe("the budget of a turn", () => {
  it("is spent after some milliseconds of the turn in which it was first asked for, by whomever", () => {
    const hand = byHand();
    const budget = new TurnBudget(hand.turns);
    hand.spend(1_000);
    expect(budget.isSpent).toBe(false);
    hand.spend(3);
    expect(budget.isSpent).toBe(false);
    hand.spend(2);
    expect(budget.isSpent).toBe(true);
    expect(budget.isSpent).toBe(true);
  });

  it("is there again in the next turn, for which all wait together", async () => {
    const hand = byHand();
    const budget = new TurnBudget(hand.turns);
    expect(budget.isSpent).toBe(false);
    hand.spend(20);
    expect(budget.isSpent).toBe(true);
    const done: string[] = [];
    const waits = [budget.next().then(() => done.push("one")), budget.next().then(() => done.push("other"))];
    expect(hand.asked).toBe(1);
    await Promise.resolve();
    expect(done).toEqual([]);
    await hand.turn();
    await Promise.all(waits);
    expect(done).toEqual(["one", "other"]);
    expect(budget.isSpent).toBe(false);
    hand.spend(20);
    expect(budget.isSpent).toBe(true);
  });

  it("does not run into the next turn when nobody has waited for it", async () => {
    const hand = byHand();
    const budget = new TurnBudget(hand.turns);
    expect(budget.isSpent).toBe(false);
    await hand.turn();
    hand.spend(20);
    expect(budget.isSpent).toBe(false);
  });

  it("is never spent where there are no turns, as under a clock that is moved by hand", () => {
    let now = 0;
    const budget = new TurnBudget({ monotonic: () => now });
    expect(budget.isSpent).toBe(false);
    now = 1_000_000;
    expect(budget.isSpent).toBe(false);
  });
});
