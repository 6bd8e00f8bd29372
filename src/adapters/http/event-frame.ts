import type { DecisionEventData, RunEventData } from "../../index.js";
import type { EventRecord } from "../../ports/store/events.js";

/**
 * Blocks of an event stream.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
const encoder = new TextEncoder();

/** Opens a stream: when to come back, and from where. */
export function openingFrame(id: string): Uint8Array {
  return encoder.encode(`retry: 2000\nid: ${id}\n\n`);
}

/** Keeps a connection open. The id counts though nothing is dispatched: a reader that sees few events comes back close to the newest. */
export function beatFrame(id: string): Uint8Array {
  return encoder.encode(`: still here\nid: ${id}\n\n`);
}

export function resetFrame(id: string): Uint8Array {
  return encoder.encode(`event: reset\nid: ${id}\ndata: {}\n\n`);
}

export function eventFrame({ name, pipelineId, data }: EventRecord, id: string): Uint8Array {
  if (name === "reset") return resetFrame(id);
  return encoder.encode(`id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(dataOut(name, pipelineId, data))}\n\n`);
}

function dataOut(name: string, pipeline: string | null, text: string): Record<string, unknown> {
  if (name === "decision") {
    const one: DecisionEventData = JSON.parse(text);
    return {
      id: one.id,
      pipeline,
      trigger_id: one.triggerId,
      kind: one.kind,
      scheduled_for: one.scheduledFor,
      at: one.at,
      outcome: one.outcome,
      reason: one.reason,
      findings: one.findings.map(({ recheckAt, ...finding }) => ({ ...finding, recheck_at: recheckAt })),
      missed: one.missed === null ? null : { count: one.missed.count, last_at: one.missed.lastAt },
      repeated: one.repeated ? { count: one.repeated.count, last_at: one.repeated.lastAt } : null, // absent in events of 0.1.0
      omitted: one.omitted,
    };
  }
  const one: RunEventData = JSON.parse(text);
  return {
    id: one.id,
    pipeline,
    trigger_id: one.triggerId,
    status: one.status,
    scheduled_for: one.scheduledFor,
    attempt: one.attempt,
    node: one.node,
    started_at: one.startedAt,
    attempt_started_at: one.attemptStartedAt,
    ended_at: one.endedAt,
    retry_at: one.retryAt,
    error: one.error,
    omitted: one.omitted,
  };
}
