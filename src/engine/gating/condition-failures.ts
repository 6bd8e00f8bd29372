import { errorFacts, errorOfFacts } from "../../base/error-facts.js";
import { messageOf } from "../../base/errors.js";
import type { Condition } from "../../gate/condition.js";
import type { Finding } from "../../gate/finding.js";
import type { Core } from "../context/core.js";
import { FailureReports } from "../context/failure-reports.js";

/** Logs conditions that throw or do not answer: a warning with the stack for the first failure and for each other reason, a line when the condition works again. */
export class ConditionFailures {
  readonly #logger: Core["logger"];
  readonly #reports: FailureReports;
  /** Names of conditions whose last evaluation failed, by pipeline. */
  readonly #failing = new Map<string, Set<string>>();

  constructor(core: Pick<Core, "clock" | "events" | "logger">) {
    this.#logger = core.logger;
    this.#reports = new FailureReports(core);
  }

  /** Logs what a condition, or a part of one, has thrown. */
  failed(pipelineId: string, triggerId: string, { name, onError = "block" }: Condition, error: unknown): void {
    const kind = kindOf(pipelineId, name);
    const failing = this.#failing.get(pipelineId);
    if (failing === undefined) this.#failing.set(pipelineId, new Set([name]));
    else failing.add(name);
    this.#reports.failed(kind, error, () =>
      this.#logger.log("warn", `${kind} could not be evaluated, which counts as ${onError}: ${messageOf(error)}`, {
        pipelineId,
        triggerId,
        condition: name,
        error: errorOfFacts(errorFacts(error)),
      }),
    );
  }

  /** Takes note of the findings of one evaluation, in which these conditions have failed. */
  evaluated(pipelineId: string, findings: readonly Finding[], failed: ReadonlySet<string>): void {
    const failing = this.#failing.get(pipelineId);
    if (failing === undefined) return;
    const isWhole = findings.every(({ result }) => result !== "not_evaluated");
    for (const name of failing) {
      const isEvaluated = isWhole || findings.some(({ condition, result }) => condition === name && result !== "not_evaluated");
      if (failed.has(name) || !isEvaluated) continue;
      failing.delete(name);
      this.#reports.succeeded(kindOf(pipelineId, name));
    }
    if (failing.size === 0) this.#failing.delete(pipelineId);
  }
}

function kindOf(pipelineId: string, name: string): string {
  return `condition ${JSON.stringify(name)} of pipeline ${pipelineId}`;
}
