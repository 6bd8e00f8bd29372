export { systemClock } from "./adapters/clocks/system-clock.js";
export { type FunctionExecutorOptions, functionExecutor } from "./adapters/executors/function-executor.js";
export { type ConsoleLoggerOptions, consoleLogger } from "./adapters/loggers/console-logger.js";
export { type JsonLoggerOptions, jsonLogger } from "./adapters/loggers/json-logger.js";
export type { PrunedRecord } from "./adapters/stores/memory/history.js";
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./adapters/stores/memory/memory-store.js";
export { type AdaptiveOptions, type AdaptivePolicy, type AdaptiveSchedule, adaptive } from "./adaptive/adaptive.js";
export { combine } from "./adaptive/combine.js";
export { type DataVolumeOptions, dataVolumeBased } from "./adaptive/data-volume-based.js";
export { type FreshnessTargetOptions, freshnessTarget } from "./adaptive/freshness-target.js";
export { type LoadOptions, loadBased } from "./adaptive/load-based.js";
export type { Load, Performance, RunSample } from "./adaptive/performance.js";
export { type PerformanceOptions, performanceBased } from "./adaptive/performance-based.js";
export type { Factors, Tuner, TunerContext, Tuning } from "./adaptive/tuner.js";
export type { AsJson } from "./base/as-json.js";
export { type Duration, durationMs, formatDuration } from "./base/duration.js";
export type { ErrorFacts } from "./base/error-facts.js";
export { type ErrorCode, HeadgateError, NonRetryableError } from "./base/errors.js";
export type { IdSource } from "./base/id.js";
export type { Instant } from "./base/instant.js";
export type { Quantiles } from "./base/quantiles.js";
export type { AuditOptions } from "./engine/access/audit-keys.js";
export type { DecisionEventData, RunEventData } from "./engine/feed/event-data.js";
export type { ExplanationOutcome, FutureAnswer, OpenMatter } from "./engine/reading/explain.js";
export { createScheduler, type SchedulerOptions } from "./entry/create-scheduler.js";
export * as storeRules from "./entry/store-rules.js";
export {
  type Condition,
  type ConditionClock,
  type ConditionContext,
  type ConditionNeeds,
  type ConditionOptions,
  type CustomConditionOptions,
  condition,
  type OnBlock,
  type PartFinding,
  type RunHistory,
  type Verdict,
} from "./gate/condition.js";
export { maxPerPeriod, type StaleOptions, stale, succeeded } from "./gate/conditions/history.js";
export { allOf, anyOf, not } from "./gate/conditions/logic.js";
export { dataVolume, type Health, healthy, type OutsideConditionOptions } from "./gate/conditions/outside.js";
export { businessDay, maintenanceWindow } from "./gate/conditions/time.js";
export type { Gate } from "./gate/decide.js";
export type { ExternalDependency, NamedConnection, NamedConnections, RuntimeDependency } from "./gate/dependency.js";
export type { DecisionOutcome, DecisionRecord, Finding, MissedFires, MissedPause } from "./gate/finding.js";
export type { CircuitBreaker, MeasurableProbe, Measured, ProbeOptions, ProbePolicy } from "./gate/probe.js";
export type { RecentStarts, StartLimit } from "./gate/start-limit.js";
export type { Decision, FindingView, MissedFiresView } from "./gate/view.js";
export type {
  ActiveRun,
  AlertReason,
  AlertRule,
  AlertRun,
  AlertState,
  AlertTransition,
  Concern,
  NodeSnapshot,
  PipelineRule,
  PipelineSnapshot,
  RuleViolation,
  SchedulerRule,
  Severity,
  Silence,
  Snapshot,
} from "./monitor/alert.js";
export type { AuditEntry, AuditHead, AuditMark, AuditProblem, AuditRecord, AuditSum } from "./monitor/audit.js";
export type { AuditSealer } from "./monitor/audit-seal.js";
export type { RefusedCall } from "./monitor/call-sums.js";
export { type Evaluation, evaluateAlerts } from "./monitor/evaluate-alerts.js";
export type { FinishedFacts, FinishedRecord, FinishedSummary } from "./monitor/finished-record.js";
export type { AlertNotification, AlertRoute, NotifiedAlert } from "./monitor/notification.js";
export {
  clockSkew,
  consecutiveFailures,
  defaultRules,
  failureRate,
  longRunning,
  missedSchedule,
  nodeFailing,
  nodeLost,
  type PipelineCheck,
  type PipelineRuleOptions,
  pipelineRule,
  probeUnhealthy,
  queueBacklog,
  type RuleOptions,
  runFailed,
  runRetried,
  schedulerRule,
  sensorFailing,
  slaAtRisk,
  slaMissed,
  staleData,
} from "./monitor/rules.js";
export type { Statistics } from "./monitor/statistics.js";
export { listPatterns, pattern } from "./pattern/catalog.js";
export { definePattern, type Pattern, type PatternGroup } from "./pattern/pattern.js";
export type { PatternOptions } from "./pattern/pattern-options.js";
export { type PatternName, patterns } from "./pattern/presets.js";
export { type Environment, recommendPattern, type UseCase } from "./pattern/recommend.js";
export type { Polling, SensorOptions } from "./pattern/sensor-options.js";
export type { Bounds, TunerOptions } from "./pattern/tuner-options.js";
export { type PatternProblems, validatePattern } from "./pattern/validate.js";
export type { EffectiveSetting, EffectiveSettings, SettingSource } from "./pipeline/effective-settings.js";
export type { MaintenanceWindow } from "./pipeline/maintenance-window.js";
export type { PipelineSettings, SettingName, SettingsChange } from "./pipeline/overrides.js";
export { type Pipeline, type PipelineOptions, pipeline } from "./pipeline/pipeline.js";
export type { IdOf, OutputOf, ParametersOf, PipelineRef, Upstream, UpstreamOutput } from "./pipeline/pipeline-ref.js";
export type {
  ActionCaller,
  ActionContext,
  BackfillArgument,
  BackfillOptions,
  PauseOptions,
  PipelineSelection,
  RequestedKind,
  RerunOptions,
  ResumeOptions,
  RunArguments,
  RunOptions,
  TriggerArguments,
  TriggerOptions,
  WaitOptions,
} from "./pipeline/request-options.js";
export type { ParameterProblem } from "./pipeline/requests.js";
export type { RunClock, RunContext, RunLog } from "./pipeline/run-context.js";
export type { RunOutcome } from "./pipeline/run-outcome.js";
export type { RunScheduler } from "./pipeline/run-scheduler.js";
export type { AlertChannel } from "./ports/alert-channel.js";
export type { Clock } from "./ports/clock.js";
export type {
  Executor,
  LocalExecutor,
  RemoteCall,
  RemoteError,
  RemoteExecutor,
  RemoteRun,
  RemoteState,
  RunControl,
  RunRequest,
} from "./ports/executor.js";
export type { Logger, LogLevel } from "./ports/logger.js";
export type { Probe } from "./ports/probe.js";
export type { AdapterContext } from "./ports/scheduler-api/adapter-context.js";
export type { AdaptiveSchedules, AdaptiveStatus, IntervalChange, PerformanceNumbers } from "./ports/scheduler-api/adaptive-schedules.js";
export type { AlertRunView } from "./ports/scheduler-api/alert-run.js";
export type { Alert, Alerts, SilenceOptions } from "./ports/scheduler-api/alerts.js";
export type { AnchorState, AuditCheck, AuditVerifyOptions } from "./ports/scheduler-api/audit-check.js";
export type { AuditLog } from "./ports/scheduler-api/audit-log.js";
export type { CancelledMany, CancelManyOptions } from "./ports/scheduler-api/cancel-many.js";
export type { EventFeed } from "./ports/scheduler-api/event-feed.js";
export type { EventReader, EventReaderOptions } from "./ports/scheduler-api/event-reader.js";
export type {
  AttemptEvent,
  EventName,
  Listener,
  PauseEvent,
  RunEvent,
  SchedulerEvents,
  SensorRef,
  SkipEvent,
  TriggerEvent,
} from "./ports/scheduler-api/events.js";
export type { Explanation } from "./ports/scheduler-api/explanation.js";
export type { DecisionListOptions, ListOptions, Page, RunListOptions, TriggerListOptions } from "./ports/scheduler-api/lists.js";
export type { MonitoringOptions } from "./ports/scheduler-api/monitoring-options.js";
export type { NodeRegistry, NodeStatus } from "./ports/scheduler-api/node-registry.js";
export type { ReloadOptions, ReloadResult } from "./ports/scheduler-api/reload.js";
export type { Scheduler } from "./ports/scheduler-api/scheduler.js";
export type { SettingsManager, SettingsView } from "./ports/scheduler-api/settings-manager.js";
export type { SkipOptions, SkippedFireTime, UnskipOptions } from "./ports/scheduler-api/skips.js";
export type {
  PipelineStatistics,
  QueueStatistics,
  SchedulerStatistics,
  StatisticsService,
} from "./ports/scheduler-api/statistics-service.js";
export type { PipelineStatus, SchedulerStatus, SensorStatus, UnrecordedEnd, UnrecordedEnds } from "./ports/scheduler-api/status.js";
export type { StopOptions } from "./ports/scheduler-api/stop-options.js";
export type { IssuedToken, Role, TokenHolder, TokenInfo, TokenOptions, Tokens } from "./ports/scheduler-api/tokens.js";
export type { UpcomingFire, UpcomingFireOptions } from "./ports/scheduler-api/upcoming.js";
export type * from "./ports/store/audit.js";
export type * from "./ports/store/clock-recovery.js";
export type { EventBounds, EventLog, EventRecord, NewEvent } from "./ports/store/events.js";
export type { FireTimesQuery, OpenAtQuery } from "./ports/store/history.js";
export type { StatisticsRollUp, StatisticsStore } from "./ports/store/statistics.js";
export type * from "./ports/store.js";
export type { Lease } from "./run/lease.js";
export type { ExecutionOptions, ExecutionPolicy } from "./run/policy.js";
export type { Backoff, RetryPolicy } from "./run/retry.js";
export type { Attempt, AttemptOutcome, CancelRequest, PrintedOutput, RunEnd, RunError, RunRecord, RunStatus } from "./run/run.js";
export type { AttemptEnd } from "./run/transitions.js";
export type { Run } from "./run/view.js";
export { type BusinessDayOptions, businessDays, type HolidayRule } from "./schedule/business-days.js";
export type { Calendar } from "./schedule/calendar.js";
export { type CalendarLike, except, union, within } from "./schedule/combine.js";
export { type CronOptions, cron } from "./schedule/cron.js";
export type { EndedPause, LastingPause } from "./schedule/ended-pauses.js";
export {
  type Catchup,
  type DroppedFires,
  type DropReason,
  type MisfirePlan,
  type MisfireQuestion,
  type PausedSpan,
  planMisfires,
} from "./schedule/misfire.js";
export { type Schedule, type ScheduleKind, type UpcomingOptions, upcoming } from "./schedule/schedule.js";
export { at, every, manual } from "./schedule/simple.js";
export type { FiredTimes, SkippedFire } from "./schedule/skips.js";
export {
  type RecurringWindow,
  type SingleWindow,
  type TimeWindow,
  timeWindows,
  type Weekday,
  type WindowCalendar,
} from "./schedule/window.js";
export type { Claimable } from "./trigger/cursor.js";
export type { Overlap, OverlapPlan, OverlappedRun, OverlapState, WaitingFire } from "./trigger/overlap.js";
export {
  type Adding,
  type Admission,
  DEFAULT_QUEUE_LIMITS,
  type QueueLimit,
  type QueueLimits,
  type QueueUsage,
  refuseBeyond,
} from "./trigger/queue-limits.js";
export { excessOf, type PipelineExcess, type PipelineHistory, type Retention, SETTLED_MS } from "./trigger/retention.js";
export {
  type AnySensor,
  type RunSummary,
  type Sensor,
  type SensorEvent,
  type SensorMode,
  type SensorPollContext,
  type SensorPollResult,
  type SensorTiming,
  sensor,
  type WebhookSource,
  webhookSensor,
} from "./trigger/sensor.js";
export type {
  CatchupCause,
  CatchupRecord,
  NewTrigger,
  PauseFacts,
  Priority,
  TriggerEnd,
  TriggerKind,
  TriggerRecord,
  TriggerStatus,
} from "./trigger/trigger.js";
export type { LateCause, Trigger } from "./trigger/view.js";
