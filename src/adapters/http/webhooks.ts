import type { Priority, Trigger } from "../../index.js";
import { actOf } from "./acting.js";
import { admissionOf } from "./admission.js";
import { GITHUB_EVENTS, githubEventOf } from "./github-events.js";
import { keyOf } from "./idempotency-key.js";
import { pipelineOf } from "./pipeline-of.js";
import { Problem } from "./problem.js";
import type { Call } from "./route.js";
import { deliveryKey } from "./signatures.js";
import type { WebhookSource } from "./webhook-source.js";

interface Sent {
  readonly source: string;
  readonly event: string | null;
  readonly payload: unknown;
  readonly pipeline?: string | undefined;
  readonly dag_id?: string | undefined;
  readonly priority?: Priority | undefined;
}

/**
 * Returns the event of a webhook in its sender's form. Of a request with a token, `X-GitHub-Event`; of one with a signature, what the signed payload says.
 *
 * @throws Problem `INVALID_REQUEST` when `X-GitHub-Event` names another event than the payload is of
 */
export function eventOf(
  { caller, header, options }: Pick<Call, "caller" | "header" | "options">,
  source: string,
  payload: unknown,
): string | null {
  const named = header("x-github-event");
  if (caller.deliveryKey === undefined) return named;
  if (options.webhooks.find((one) => one.source === source)?.scheme !== "github") {
    const { type, event = type } = (payload ?? {}) as { type?: unknown; event?: unknown };
    return typeof event === "string" ? event : null;
  }
  const event = githubEventOf(payload);
  if (named === null || named === event || (event === null && !GITHUB_EVENTS.includes(named))) return event;
  throw new Problem(
    422,
    "INVALID_REQUEST",
    `X-GitHub-Event says ${JSON.stringify(named.slice(0, 100))}, but the signed payload is ${event === null ? "not of that event" : `of the event ${event}`}`,
  );
}

/** The trigger that a webhook asks for; sent again under the same id, the first one. */
export function webhookTrigger(
  call: Pick<Call, "scheduler" | "options" | "caller" | "header" | "address" | "requestId">,
  { source, event, payload, pipeline, dag_id, priority }: Sent,
): Promise<Trigger> {
  const { webhooks } = call.options;
  const known = webhooks.find((one) => one.source === source);
  if (webhooks.length > 0 && known === undefined)
    throw new Problem(403, "SOURCE_NOT_ALLOWED", `source ${JSON.stringify(source.slice(0, 128))} is not allowed to send webhooks`);
  const { host } = call.scheduler;
  const isNamed = (pipeline ?? dag_id) !== undefined;
  const [first, ...others] = known?.pipelines ?? (isNamed ? [] : host.pipelinesOfSource(source));
  const named = pipeline ?? dag_id ?? (others.length === 0 ? first : undefined);
  const pipelineId = pipelineOf(call, { pipeline: named, ...(pipeline === undefined ? {} : { dag_id }) });
  if (known?.pipelines !== undefined && !known.pipelines.includes(pipelineId))
    throw new Problem(403, "SOURCE_NOT_ALLOWED", `source ${source} may not trigger ${pipelineId}`);
  if (host.webhookSourcesOf(pipelineId)?.includes(source) === false)
    throw new Problem(403, "SOURCE_NOT_ALLOWED", `source ${JSON.stringify(source.slice(0, 128))} may not trigger ${pipelineId}`);
  if (known?.events !== undefined && (event === null || !known.events.includes(event)))
    throw new Problem(
      422,
      "INVALID_REQUEST",
      `source ${source} may trigger by ${known.events.join(", ")}, not by ${JSON.stringify(event?.slice(0, 100) ?? null)}`,
    );
  const own = keyOf(call, "webhook-id", "x-github-delivery", "idempotency-key");
  const key = call.caller.deliveryKey ?? (own === undefined ? undefined : deliveryKey("token", source, own));
  const options = {
    kind: "webhook" as const,
    ...actOf(call),
    reason: `webhook of ${source}${event === null ? "" : `: ${event}`}`.slice(0, 1_000),
    parameters: parametersOf(known, payload),
    ...(priority === undefined ? {} : { priority }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
  return host.trigger(pipelineId, options, admissionOf(call));
}

function parametersOf(source: WebhookSource | undefined, payload: unknown): Record<string, unknown> {
  if (source?.parameters === undefined)
    return typeof payload === "object" && payload !== null && !Array.isArray(payload) ? (payload as Record<string, unknown>) : { payload };
  try {
    return source.parameters(payload);
  } catch (error) {
    throw new Problem(
      422,
      "INVALID_REQUEST",
      `source ${source.source}: the payload could not be converted to parameters: ${(error as Error).message.slice(0, 200)}`,
    );
  }
}
