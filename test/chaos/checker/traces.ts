import type { Evidence } from "../evidence.js";
import type { BeginLine, EndLine, FinishLine, LeaseLine } from "../log.js";

/** What the log says of one attempt. */
export interface Trace {
  readonly run: string;
  readonly attempt: number;
  readonly begins: BeginLine[];
  readonly ends: EndLine[];
  readonly leases: LeaseLine[];
  readonly finishes: FinishLine[];
}

/** The attempts of all runs that nodes carry out themselves: there, the fencing token counts the attempts. */
export function tracesOf({ lines, pipelines }: Evidence): Map<string, Trace> {
  const queued = new Set(pipelines.filter(({ isQueued }) => isQueued === true).map(({ id }) => id));
  const elsewhere = new Set(lines.flatMap((line) => (line.line === "begin" && queued.has(line.pipeline) ? [line.run] : [])));
  const traces = new Map<string, Trace>();
  const of = (run: string, attempt: number): Trace => {
    const key = traceKey(run, attempt);
    const known = traces.get(key) ?? { run, attempt, begins: [], ends: [], leases: [], finishes: [] };
    traces.set(key, known);
    return known;
  };
  for (const line of lines) {
    if (!("run" in line) || line.run === null || elsewhere.has(line.run)) continue;
    if (line.line === "begin") of(line.run, line.attempt).begins.push(line);
    else if (line.line === "end") of(line.run, line.attempt).ends.push(line);
    else if (line.line === "lease") of(line.run, line.token).leases.push(line);
    else if (line.line === "finish") of(line.run, line.token).finishes.push(line);
  }
  return traces;
}

function traceKey(run: string, attempt: number): string {
  return `${run} ${attempt}`;
}

/** When the attempt was closed by the store, as far as the log knows. */
export function closedAt({ finishes }: Trace): number | null {
  return finishes.find(({ isAccepted }) => isAccepted)?.at ?? null;
}
