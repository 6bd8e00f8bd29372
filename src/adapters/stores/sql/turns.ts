import { TurnBudget } from "../../../base/turn-budget.js";

/** What the databases of a process may spend of a turn of its event loop: on SQLite's statements, which are synchronous, and on rows. Long work takes several turns; a transaction stays open meanwhile. */
export const turns = new TurnBudget({
  monotonic: () => performance.now(),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
});
