import type { Pipeline } from "../pipeline/pipeline.js";

/** Configuration that `headgate serve` runs without a file: something to look at and to trigger. */
export const EXAMPLE = `# what headgate serve runs when there is no schedule_config.yaml
pipelines:
  example:
    description: Prints why it was triggered; replace it with your own (headgate init)
    schedule: { every: 15m }
    conditions:
      - stale: { older_than: 10m }
`;

export const EXAMPLE_FUNCTIONS: Readonly<Record<string, Pipeline["run"]>> = {
  example: ({ parameters, trigger, attempt }) => ({ kind: trigger.kind, reason: trigger.reason, attempt, parameters }),
};
