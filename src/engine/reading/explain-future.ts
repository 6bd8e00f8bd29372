import { isoUtc } from "../../base/instant.js";
import { decide } from "../../gate/decide.js";
import type { Finding } from "../../gate/finding.js";
import type { Core } from "../core.js";
import type { GateKeeper } from "../gate-keeper.js";
import type { Pipeline } from "../pipeline.js";
import { paused } from "./explain-words.js";
import { MEANT_MS, type Story } from "./story.js";

/** What will happen, as far as time alone can tell. */
export async function foretell(core: Core, gates: GateKeeper, pipeline: Pipeline, at: number, now: number): Promise<Story> {
  const fireAt = pipeline.schedule.nextAfter(at - 1);
  if (fireAt === null || fireAt >= at + MEANT_MS) {
    const next = fireAt === null ? "it never will again" : `it asks next for ${isoUtc(fireAt)}`;
    return { answer: "not_scheduled", text: `its schedule (${pipeline.schedule.describe()}) asks for no run then; ${next}` };
  }
  const [[state], { pause: everything }] = await Promise.all([core.store.states([pipeline.id]), core.store.globalPause()]);
  for (const pause of [state?.pause ?? null, everything]) {
    if (pause !== null && (pause.until === null || pause.until > fireAt)) {
      return {
        answer: "will_wait",
        text: `${paused(pause, pause === everything)}; unless that ends before, catchup (${pipeline.execution.catchup}) decides on resume`,
      };
    }
  }
  const findings = await foretold(gates, pipeline, fireAt, now);
  const { outcome, reason } = decide(pipeline.gate, findings, fireAt);
  const open = findings.filter(({ result }) => result === "not_evaluated").map(({ condition }) => condition);
  const openText = open.length === 0 ? "" : `; ${open.join(", ")} will be asked then`;
  const busy =
    state && state.activeRuns >= pipeline.execution.maxActiveRuns
      ? `; all its runs are taken now, and if they still are then, overlap is ${pipeline.execution.overlap}`
      : "";
  if (outcome === "run")
    return { answer: "will_run", text: `it will run: its schedule fires at ${isoUtc(fireAt)}${openText}${busy}`, findings };
  return {
    answer: outcome === "hold" ? "will_wait" : "will_skip",
    text: `its schedule fires at ${isoUtc(fireAt)}, but it will be ${outcome === "hold" ? "held" : "skipped"}: ${reason}`,
    findings,
  };
}

/** The conditions that need only the time are asked for then; what the others will find, nobody knows yet. */
async function foretold(gates: GateKeeper, pipeline: Pipeline, fireAt: number, now: number): Promise<Finding[]> {
  const foreseeable = {
    ...pipeline,
    gate: { ...pipeline.gate, conditions: pipeline.gate.conditions.filter(({ needs }) => needs === "time") },
  };
  const trigger = { id: "none-yet", pipelineId: pipeline.id, kind: "scheduled", scheduledFor: fireAt, parameters: null } as const;
  const found = await gates.ask(foreseeable, trigger, fireAt);
  const rest = pipeline.gate.conditions.filter(({ needs }) => needs !== "time");
  return [
    ...found,
    ...rest.map(({ name }): Finding => ({ condition: name, result: "not_evaluated", reason: `cannot be known at ${isoUtc(now)}` })),
  ];
}
