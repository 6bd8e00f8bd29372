import type { AuditRecord, Decision, OpenMatter, Run, TokenInfo, Trigger } from "../../index.js";
import { jsonLength, type Shortened, shortened, VALUE_BYTES } from "./bounded.js";
import { auditOut, decisionOut, findingOut, runOut, tokenOut, triggerOut } from "./serialize.js";

const REASON_CHARACTERS = 500;

/** Names of the fields that the store has left out of a record by `valueLimit`. */
function omittedOf(one: object): readonly string[] | undefined {
  return "omitted" in one && Array.isArray(one.omitted) ? one.omitted.map(String) : undefined;
}

export function triggerShort(one: Trigger): Shortened {
  return shortened(triggerOut(one), ["parameters"], omittedOf(one));
}

/** The newest attempts remain. */
export function runShort(one: Run): Shortened {
  return shortened(runOut(one), ["output", "progress", "error", "attempts"], omittedOf(one), {
    attempts: (all) => newestOf(all as readonly unknown[]),
  });
}

/** Findings remain without their evidence, as many as fit. */
export function decisionShort(one: Decision): Shortened {
  return shortened(decisionOut(one), ["reason", "findings"], omittedOf(one), {
    reason: clipped,
    findings: () => newestOf(one.findings.map(findingBrief).toReversed()).toReversed(),
  });
}

export function findingShort(one: Decision["findings"][number]): Shortened {
  return shortened(findingOut(one), ["reason", "evidence"], undefined, { reason: clipped });
}

function findingBrief(one: Decision["findings"][number]): Record<string, unknown> {
  return { ...findingOut(one), reason: clipped(one.reason), evidence: null };
}

/** The first pipelines remain: a list that were left out would read as a token for all. */
export function tokenShort(one: TokenInfo): Shortened {
  return shortened(tokenOut(one), ["pipelines"], undefined, {
    pipelines: (all) => newestOf((all as readonly unknown[]).toReversed()).toReversed(),
  });
}

export function auditShort(one: AuditRecord): Shortened {
  return shortened(auditOut(one), ["before", "after"], undefined);
}

/** An item that has no large values. */
export function whole(json: Record<string, unknown>): Shortened {
  return { json, cutBytes: 0 };
}

export function clipped(text: unknown, most = REASON_CHARACTERS): string {
  const given = String(text);
  return given.length > most ? `${given.slice(0, most)}…` : given;
}

/** The last entries that fit into the place of one value. */
function newestOf(all: readonly unknown[]): readonly unknown[] {
  let length = 2;
  let first = all.length;
  while (first > 0) {
    length += jsonLength(all[first - 1]) + 1;
    if (length > VALUE_BYTES) break;
    first--;
  }
  return all.slice(first);
}

/** Matters that an answer about the future depends on. */
export function mattersOut(matters: readonly OpenMatter[]) {
  return matters.map(({ reason, ...rest }) => ({ ...rest, reason: clipped(reason) }));
}
