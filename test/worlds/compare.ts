import type { Seen, SeenRun } from "./seen.js";

type Records = Pick<Seen, "triggers" | "decisions" | "runs">;

/** Records as texts without ids and nodes, which need not be the same; what a record refers to stands in their place. */
function comparable({ triggers, decisions, runs }: Records): string[] {
  const names = new Map(
    triggers.map((one) => [one.id, `${one.pipelineId} ${one.kind} ${one.scheduledFor} ${one.createdAt} ${one.reason}`]),
  );
  const nameOf = (id: string | null) => (id === null ? null : (names.get(id) ?? "unknown"));
  return [
    ...triggers.map(({ id: _, runId, supersedes, supersededBy, ...rest }) =>
      JSON.stringify({
        ...rest,
        record: "trigger",
        hasRun: runId !== null,
        supersedes: nameOf(supersedes),
        supersededBy: nameOf(supersededBy),
      }),
    ),
    ...decisions.map(({ id: _, triggerId, ...rest }) => JSON.stringify({ ...rest, record: "decision", of: nameOf(triggerId) })),
    ...runs.map((run) => JSON.stringify(runOf(run, nameOf))),
  ].sort();
}

function runOf({ id: _, node: _node, triggerId, attempts, ...rest }: SeenRun, nameOf: (id: string) => string | null) {
  return { ...rest, record: "run", of: nameOf(triggerId), attempts: attempts.map(({ node: _own, ...one }) => one) };
}

/** The first records, by time, that only one side has; `""`: both have the same. */
export function difference(one: Records, other: Records): string {
  const [left, right] = [comparable(one), comparable(other)];
  const lines = [...without(left, right).map((line) => `- ${line}`), ...without(right, left).map((line) => `+ ${line}`)];
  const timeOf = (line: string) => Number(/"(?:at|createdAt|startedAt)":(\d+)/.exec(line)?.[1] ?? 0);
  return lines
    .toSorted((a, b) => timeOf(a) - timeOf(b))
    .slice(0, 6)
    .join("\n");
}

/** Those of a list that another has fewer of. */
function without(all: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return all.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}
