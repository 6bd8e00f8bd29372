import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { fileSensor } from "../../src/adapters/sensors/index.js";
import { pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

const root = mkdtempSync(join(tmpdir(), "headgate-links-"));
afterAll(() => rmSync(root, { recursive: true }));

it("a file sensor cannot be led out of its directory by links, to files or to directories", async () => {
  const path = join(root, "incoming");
  mkdirSync(path);
  mkdirSync(join(root, "private"));
  writeFileSync(join(root, "private", "secret.csv"), "a,b");
  writeFileSync(join(path, "real.csv"), "a,b");
  symlinkSync("../private/secret.csv", join(path, "link.csv"));
  symlinkSync("../private", join(path, "folder"));
  const sensor = fileSensor({ path, pattern: ["*.csv", "**/secret.csv"], settle: 0, every: "1s" });
  const { scheduler, clock } = await harness([pipeline({ id: "import", sensors: [sensor], run: () => {} })]);
  await clock.advance("5s");
  const { items } = await scheduler.triggers({});
  expect(items.map(({ parameters }) => (parameters as { name: string }).name)).toEqual(["real.csv"]);
  await scheduler.stop();
});
