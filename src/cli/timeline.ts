import type { Simulation } from "../testing/simulate.js";

const WIDTH = 1_200;
const LABEL = 200;
const ROW = 28;
const HEAD = 40;
const COLOURS: Readonly<Record<string, string>> = {
  succeeded: "#2e7d32",
  failed: "#c62828",
  timed_out: "#ef6c00",
  cancelled: "#757575",
  skipped: "#9e9e9e",
  running: "#1565c0",
};
/** More would not be seen apart. */
const MARKS = 20_000;

/** A row for each pipeline: bars are runs, by how they ended; ticks are fire times that were skipped. */
export function timelineSvg(played: Simulation, ids: readonly string[]): string {
  const height = HEAD + ids.length * ROW + 30;
  const from = played.from.getTime();
  const x = (at: Date | number) => LABEL + ((Number(at) - from) / (played.to.getTime() - from)) * (WIDTH - LABEL - 20);
  const top = (id: string) => HEAD + ids.indexOf(id) * ROW;
  const ticks = Array.from({ length: 9 }, (_, index) => from + ((played.to.getTime() - from) * index) / 8);
  const axis = ticks.map(
    (at) =>
      `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${HEAD - 6}" y2="${height - 24}" stroke="#e0e0e0"/>` +
      `<text x="${x(at).toFixed(1)}" y="${HEAD - 12}" font-size="10" text-anchor="${at === played.to.getTime() ? "end" : "middle"}">${new Date(at).toISOString().slice(0, 16).replace("T", " ")}</text>`,
  );
  const labels = ids.map(
    (id) => `<text x="8" y="${top(id) + 18}" font-size="12">${escaped(id.length > 28 ? `${id.slice(0, 27)}…` : id)}</text>`,
  );
  const bars = played.runs.slice(0, MARKS).map(({ pipelineId, status, startedAt, endedAt, attempt }) => {
    const [left, right] = [x(startedAt), x(endedAt ?? played.to)];
    const title = `${pipelineId}: ${status}, ${startedAt.toISOString()} to ${endedAt?.toISOString() ?? "?"}${attempt > 1 ? `, ${attempt} attempts` : ""}`;
    return `<rect x="${left.toFixed(1)}" y="${top(pipelineId) + 6}" width="${Math.max(1.5, right - left).toFixed(1)}" height="${ROW - 12}" fill="${COLOURS[status] ?? COLOURS.running}"><title>${escaped(title)}</title></rect>`;
  });
  const skips = played.decisions
    .filter(({ outcome }) => outcome === "skip")
    .slice(0, MARKS)
    .map(({ pipelineId, at, reason }) => {
      const title = `${pipelineId}: skipped at ${at.toISOString()}: ${reason}`;
      return `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${top(pipelineId) + 3}" y2="${top(pipelineId) + ROW - 3}" stroke="${COLOURS.skipped}" stroke-dasharray="2"><title>${escaped(title)}</title></line>`;
    });
  const legend = Object.entries(COLOURS).map(
    ([name, colour], index) =>
      `<rect x="${LABEL + index * 110}" y="${height - 18}" width="10" height="10" fill="${colour}"/><text x="${LABEL + 14 + index * 110}" y="${height - 9}" font-size="11">${name.replace("_", " ")}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...axis,
    ...labels,
    ...skips,
    ...bars,
    ...legend,
    "</svg>",
  ].join("\n");
}

/** The same as a page that needs nothing else. */
export function timelineHtml(played: Simulation, ids: readonly string[]): string {
  const title = `${played.from.toISOString()} to ${played.to.toISOString()}: ${played.counts.runs} runs`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escaped(title)}</title></head>
<body style="font-family: sans-serif"><h1 style="font-size: 1.1em">${escaped(title)}</h1>
${timelineSvg(played, ids)}
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
