export { type Backtest, type BacktestOptions, type BacktestWorld, backtest } from "./backtest.js";
export type { BacktestSide } from "./backtest-side.js";
export { type ContractWork, describeExecutor, type ExecutorUnderTest, type MakeExecutor } from "./contract/describe-executor.js";
export { type BreakTrigger, describeStore, type MakeStore } from "./contract/describe-store.js";
export type { ContractRetention } from "./contract/fixtures.js";
export type { TestRunner } from "./contract/runner.js";
export { type FakeClock, type FakeClockOptions, fakeClock, type UnsettledWork } from "./fake-clock.js";
export type { Freshness } from "./freshness.js";
export type {
  HistoricalAttempt,
  HistoricalDecision,
  HistoricalFinding,
  HistoricalPause,
  HistoricalRun,
  HistoricalTrigger,
  History,
} from "./history.js";
export type { Refusal } from "./play.js";
export { type ReadHistory, type ReadHistoryOptions, readHistory } from "./read-history.js";
export type { ConditionAnswer } from "./recorded-gate.js";
export { type SimulateOptions, type Simulation, simulate } from "./simulate.js";
export type { Unknown, UnknownExample, UnknownKind } from "./unknowns.js";
export type { ScriptedOutcome, SimulatedAttempt, World } from "./world.js";
