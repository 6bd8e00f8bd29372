import type { SeenEvent } from "../seen.js";
import type { History } from "./history.js";
import { iso, type Report } from "./report.js";

const ENDS = new Set(["succeeded", "failed", "skipped", "expired", "cancelled", "superseded"]);

/** Records agree with each other. */
export function checkRecords(history: History, report: Report): void {
  const { seen } = history;
  for (const error of [...seen.errors, ...seen.outages]) report.fail("errors", seen.endedAt, null, error);
  for (const text of seen.misfolded) report.fail("records", seen.endedAt, null, text);
  const decisionIds = new Set(seen.decisions.map(({ id, triggerId }) => `${id} ${triggerId}`));
  const ids = [...seen.triggers, ...seen.runs].map(({ id }) => id).concat([...decisionIds].map((id) => id.split(" ")[0] as string));
  if (new Set(ids).size !== ids.length) report.fail("records", seen.endedAt, null, "an id is used twice");
  for (const trigger of seen.triggers) {
    const fail = (text: string) =>
      report.fail("records", trigger.createdAt, trigger.pipelineId, `trigger ${trigger.id} (${trigger.status}) ${text}`);
    const decisions = history.decisionsOf.get(trigger.id) ?? [];
    const runs = decisions.filter(({ outcome }) => outcome === "run").length;
    const run = trigger.runId === null ? undefined : history.runs.get(trigger.runId);
    if (runs !== (run === undefined ? 0 : 1)) fail(`has ${runs} decisions to run, and ${run === undefined ? "no" : "a"} run`);
    if (run !== undefined && run.triggerId !== trigger.id) fail(`names run ${run.id}, which is of another`);
    if (ENDS.has(trigger.status) !== (trigger.endedAt !== null)) fail(`ended at ${iso(trigger.endedAt)}`);
    if (trigger.endedAt !== null && trigger.endedAt < trigger.createdAt && history.world.theme !== "steps")
      fail("ended before it was made");
    if (run !== undefined) {
      const wanted = run.endedAt === null ? "running" : run.status === "timed_out" ? "failed" : run.status;
      if (trigger.status !== wanted) fail(`has a run that is ${run.status}`);
      if (trigger.endedAt !== run.endedAt) fail(`ended at ${iso(trigger.endedAt)}, its run at ${iso(run.endedAt)}`);
    }
    if (trigger.status === "skipped" && decisions.at(-1)?.outcome !== "skip") fail("has no decision to skip");
  }
  for (const run of seen.runs)
    if (!history.triggers.has(run.triggerId))
      report.fail("records", run.startedAt, run.pipelineId, `run ${run.id} is of a trigger that does not exist`);
}

/** Every transition that the records show has its event, once. */
export function checkEvents(history: History, report: Report): void {
  const { seen } = history;
  const counts = new Map<string, number>();
  for (const { name, id } of seen.events) counts.set(`${name} ${id}`, (counts.get(`${name} ${id}`) ?? 0) + 1);
  const expect = (name: SeenEvent["name"], id: string, wanted: number, at: number, pipelineId: string) => {
    const found = counts.get(`${name} ${id}`) ?? 0;
    if (found !== wanted) report.fail("events", at, pipelineId, `${name} of ${id} was emitted ${found} times, should be ${wanted}`);
  };
  for (const { id, status, createdAt, pipelineId, endedAt } of seen.triggers) {
    expect("trigger.created", id, 1, createdAt, pipelineId);
    for (const end of ENDS) expect(`trigger.${end}`, id, status === end ? 1 : 0, endedAt ?? createdAt, pipelineId);
    const decisions = history.decisionsOf.get(id) ?? [];
    expect("trigger.held", id, decisions.filter(({ outcome }) => outcome === "hold").length, createdAt, pipelineId);
    expect("trigger.running", id, decisions.filter(({ outcome }) => outcome === "run").length, createdAt, pipelineId);
  }
  const withdrawn = new Set(
    history.world.theme === "steps" ? seen.decisions.filter(({ triggerId }) => triggerId === null).map(({ id }) => id) : [],
  );
  const looks = new Map<string, number>();
  for (const { id } of seen.decisions) looks.set(id, (looks.get(id) ?? 0) + 1);
  for (const { id, at, pipelineId } of seen.decisions) if (!withdrawn.has(id)) expect("decision", id, looks.get(id) ?? 0, at, pipelineId);
  for (const { id, status, startedAt, endedAt, pipelineId, attempt } of seen.runs) {
    expect("run.started", id, 1, startedAt, pipelineId);
    expect("run.attempt", id, attempt - 1, startedAt, pipelineId);
    for (const end of ["succeeded", "failed", "timed_out", "cancelled"])
      expect(`run.${end}`, id, status === end ? 1 : 0, endedAt ?? startedAt, pipelineId);
  }
}
