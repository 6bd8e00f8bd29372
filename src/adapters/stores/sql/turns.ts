import { TurnBudget } from "../../../base/turn-budget.js";

/** The share of an event-loop turn that the databases of a process use for rows and for SQLite's synchronous statements. Longer work takes several turns, during which its transaction stays open. */
export const turns = new TurnBudget({
  monotonic: () => performance.now(),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
});
