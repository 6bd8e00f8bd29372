import { describe, expect, it } from "vitest";
import type { AlertState } from "../../src/monitor/alert.js";
import { alertFromStored, deliveryFromStored } from "../../src/monitor/stored-alerts.js";

const { notifiedAt: _, ...rest }: AlertState = {
  id: "failure:sales",
  rule: "failure",
  severity: "critical",
  pipelineId: "sales",
  labels: {},
  tags: [],
  status: "firing",
  since: 1,
  firedAt: 2,
  notifiedAt: null,
  message: "the last run failed",
  value: 1,
  limit: 1,
  silencedBy: null,
};

describe("alerts that are read from the store", () => {
  it("keep when 0.1.0 last notified of them, so that an upgrade does not notify again", () => {
    expect(alertFromStored({ ...rest, toldAt: 3 })).toEqual({ ...rest, notifiedAt: 3 });
    expect(alertFromStored({ ...rest, toldAt: null })).toEqual({ ...rest, notifiedAt: null });
  });

  it("are returned as this version stored them", () => {
    expect(alertFromStored({ ...rest, notifiedAt: 4 })).toEqual({ ...rest, notifiedAt: 4 });
    expect(alertFromStored({ ...rest, notifiedAt: null })).toEqual({ ...rest, notifiedAt: null });
  });

  it("are also read within deliveries that had not arrived", () => {
    const delivery = { id: "d1", channel: "ops", fallback: null, insteadOf: null, createdAt: 2, attempts: 1, nextAt: 5, error: "HTTP 503" };
    const stored = { ...delivery, transitions: [{ kind: "fired" as const, at: 2, alert: { ...rest, toldAt: 2 } }] };
    expect(deliveryFromStored(stored)).toEqual({ ...delivery, transitions: [{ kind: "fired", at: 2, alert: { ...rest, notifiedAt: 2 } }] });
  });
});
