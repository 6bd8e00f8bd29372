/** The work of the pipelines whose executor is `local`: a function each, by the pipeline's id. */
export default async function work({ pipelineId, parameters, trigger, attempt, log }) {
  log.info("working", { kind: trigger.kind });
  return { pipeline: pipelineId, attempt, parameters, metrics: { records: 1_000 } };
}
