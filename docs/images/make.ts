/** Draws the plots of docs/adaptive.md from the simulator: the interval that each tuner comes to, against the success rate. `npm run plots` */
import { writeFileSync } from "node:fs";
import { adaptive, dataVolumeBased, freshnessTarget, loadBased, performanceBased, pipeline, type Tuner } from "../../src/index.js";
import { simulate } from "../../src/testing/index.js";

const DAYS = 20;
const MINUTE = 60_000;
const RATES = Array.from({ length: 26 }, (_, n) => 0.5 + n * 0.02);
const COLOURS = ["#1f6feb", "#d1242f", "#1a7f37"];

interface Line {
  readonly label: string;
  readonly tuner: Tuner;
  readonly bounds: { readonly base: string; readonly min: string; readonly max: string };
  readonly minutes?: number;
  readonly records?: number;
  readonly cpu?: number;
}

/** The mean interval of the second half of a span in which so many runs succeed, minutes. */
async function settledAt({ tuner, bounds, minutes = 10, records = 0, cpu = 0.3 }: Line, rate: number): Promise<number> {
  const sync = pipeline({
    id: "sync",
    schedule: adaptive({ ...bounds, tuner }),
    execution: { retries: 0 },
    run: () => {},
  });
  const { runs } = await simulate({
    pipelines: [sync],
    from: "2026-01-01",
    to: new Date(Date.parse("2026-01-01") + DAYS * 24 * 60 * MINUTE),
    load: () => ({ cpu, memory: 0.3 }),
    world: {
      run: ({ random }) => ({
        duration: minutes * MINUTE,
        outcome: random() < rate ? "succeed" : "fail",
        output: { metrics: { records } },
      }),
    },
  });
  const late = runs.slice(Math.floor(runs.length / 2)).flatMap(({ scheduledFor }) => scheduledFor?.getTime() ?? []);
  return ((late.at(-1) ?? 0) - (late[0] ?? 0)) / Math.max(1, late.length - 1) / MINUTE;
}

const PLOTS: readonly { readonly file: string; readonly title: string; readonly lines: readonly Line[] }[] = [
  {
    file: "performance-based",
    title: "performanceBased()",
    lines: [
      { label: "runs take 10 minutes", tuner: performanceBased(), bounds: { base: "1h", min: "30m", max: "4h" } },
      { label: "runs take 35 minutes", tuner: performanceBased(), bounds: { base: "1h", min: "30m", max: "4h" }, minutes: 35 },
    ],
  },
  {
    file: "load-based",
    title: "loadBased()",
    lines: [30, 70, 90].map((percent) => ({
      label: `cpu ${percent} %`,
      tuner: loadBased(),
      bounds: { base: "2h", min: "1h", max: "8h" },
      cpu: percent / 100,
    })),
  },
  {
    file: "data-volume-based",
    title: "dataVolumeBased()",
    lines: [
      { label: "100,000 records a run", tuner: dataVolumeBased(), bounds: { base: "1h", min: "15m", max: "6h" }, records: 100_000 },
      { label: "2,000,000 records a run", tuner: dataVolumeBased(), bounds: { base: "1h", min: "15m", max: "6h" }, records: 2_000_000 },
      { label: "runs take 50 minutes", tuner: dataVolumeBased(), bounds: { base: "1h", min: "15m", max: "6h" }, minutes: 50 },
    ],
  },
  {
    file: "freshness-target",
    title: 'freshnessTarget({ maxAge: "3h" })',
    lines: [0.99, 0.95, 0.9].map((share) => ({
      label: `in ${share * 100} % of the time`,
      tuner: freshnessTarget({ maxAge: "3h", share }),
      bounds: { base: "1h", min: "10m", max: "4h" },
    })),
  },
];

for (const { file, title, lines } of PLOTS) {
  const series = [];
  for (const line of lines) {
    const values = [];
    for (const rate of RATES) values.push(await settledAt(line, rate));
    series.push({ label: line.label, values });
  }
  writeFileSync(new URL(`${file}.svg`, import.meta.url), drawn(title, series));
  console.log(file, ...series.map(({ label, values }) => `${label}: ${values.map((one) => one.toFixed(0)).join(" ")}`));
}

function drawn(title: string, series: readonly { readonly label: string; readonly values: readonly number[] }[]): string {
  const [width, height, left, right, top, bottom] = [640, 320, 60, 20, 40, 50];
  const most = Math.ceil(Math.max(...series.flatMap(({ values }) => values)) / 60) * 60;
  const x = (rate: number) => left + ((rate - 0.5) / 0.5) * (width - left - right);
  const y = (minutes: number) => height - bottom - (minutes / most) * (height - top - bottom);
  const step = most <= 120 ? 30 : most <= 360 ? 60 : 120;
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, n) => n * step);
  const grid = ticks.map(
    (minutes) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(minutes)}" y2="${y(minutes)}" stroke="#d8dee4"/>` +
      `<text x="${left - 8}" y="${y(minutes) + 4}" text-anchor="end">${minutes / 60} h</text>`,
  );
  const rates = [0.5, 0.6, 0.7, 0.8, 0.9, 1].map(
    (rate) => `<text x="${x(rate)}" y="${height - bottom + 18}" text-anchor="middle">${Math.round(rate * 100)} %</text>`,
  );
  const paths = series.map(({ label, values }, index) => {
    const points = values.map((minutes, n) => `${x(RATES[n] as number).toFixed(1)},${y(minutes).toFixed(1)}`).join(" ");
    const at = left + 10 + index * 190;
    return (
      `<polyline points="${points}" fill="none" stroke="${COLOURS[index]}" stroke-width="2"/>` +
      `<line x1="${at}" x2="${at + 18}" y1="${top - 12}" y2="${top - 12}" stroke="${COLOURS[index]}" stroke-width="2"/><text x="${at + 24}" y="${top - 8}">${label}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img" aria-label="${title.replaceAll('"', "&quot;")}: interval against success rate">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${width / 2}" y="16" text-anchor="middle" font-weight="bold">${title.replaceAll("<", "&lt;")}: interval against the share of runs that succeed</text>
${[...grid, ...rates, ...paths].join("\n")}
<text x="${(left + width - right) / 2}" y="${height - 12}" text-anchor="middle">runs that succeed</text>
</svg>
`;
}
