export type { FieldProblem } from "../shared/safe-json.js";
export { type Connection, createTriggerApi, type TriggerApi } from "./api.js";
export type { BodyLimits, HttpRequest, Reply } from "./http-request.js";
export { nodeTriggerApi } from "./node.js";
export type { MetricsSource, QueueLimitsOptions, RateLimit, StaticToken, TriggerApiOptions } from "./options.js";
export type { HttpCode } from "./problem.js";
export type { RouteInfo } from "./route.js";
export { limitServer, type ServerLimits } from "./server-limits.js";
export type { WebhookSource } from "./webhook-source.js";
