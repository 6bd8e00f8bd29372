import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeStore } from "headgate/testing";
import { afterAll, describe, expect, it } from "vitest";
import { jsonStore } from "../../examples/store-json/json-store.js";
import { durationMs } from "../../src/base/duration.js";
import { registration, request, T0 } from "../../src/testing/contract/fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-json-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

describeStore(
  "the example of docs/extending/store.md",
  ({ retention }) => {
    const file = join(folder, `${++files}.json`);
    if (retention === undefined) return jsonStore({ file });
    const { maxAge, ...rest } = retention;
    return jsonStore({ file, retention: { ...rest, maxAgeMs: durationMs(maxAge) } });
  },
  { describe, it },
);

it("finds in its file what it has kept", async () => {
  const file = join(folder, "kept.json");
  const first = jsonStore({ file });
  await first.open();
  await first.register([registration("a")], T0);
  await first.enqueue([request("a", { parameters: { day: 1 } })], T0);
  await first.close();
  const second = jsonStore({ file });
  await second.open();
  expect(await second.listTriggers({ limit: 9 })).toEqual(await first.listTriggers({ limit: 9 }));
  expect(await second.states(["a"])).toEqual(await first.states(["a"]));
});
