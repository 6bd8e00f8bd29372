import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const DEMO = new URL("../../examples/demo/", import.meta.url);

it("the demo skips, holds, fails, recovers and overtakes on real data, and ends by itself", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", fileURLToPath(new URL("demo.ts", DEMO))]);
  expect(stdout).toMatch(/SKIPPED {2}flight-delays at .* was skipped because stale: data is fresh/);
  expect(stdout).toMatch(/HELD {5}rain-by-year: maintenance window: inside a window until/);
  expect(stdout).toMatch(/success {2}rain-by-year: \{"days":1461/);
  expect(stdout).toMatch(/FAILED {3}stock-returns, attempt 1: ENOENT/);
  expect(stdout).toMatch(/success {2}stock-returns: \{"prices":560/);
  expect(stdout).toMatch(/success {2}departures: \{"routes":\d{4},"busiest":\[\{"origin":"ATL"/);
  expect(stdout).toMatch(/success {2}published-flights: \{"flights":5000/);
  expect(stdout).toMatch(/in this order: low 1, URGENT, low 2, low 3/);
  const delays = JSON.parse(readFileSync(new URL("results/flight-delays.json", DEMO), "utf8")) as { flights: number; worst: unknown[] };
  expect(delays.flights).toBe(2_000);
  expect(delays.worst).toHaveLength(3);
});
