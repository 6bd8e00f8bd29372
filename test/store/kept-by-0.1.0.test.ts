import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { claim, finishOne, MINUTE, registration, request, startAll, T0 } from "../../src/testing/contract/fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-kept-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("reads the one pause that was kept, and ends a run between two attempts whose end was requested", async () => {
  const file = join(folder, "store.db");
  const store = sqliteStore({ file });
  await store.open();
  await store.register([registration("a")], T0);
  await store.enqueue([request("a")], T0);
  const [run] = await startAll(store, T0);
  assert.ok(run);
  const end = { outcome: "failed" as const, error: { message: "down", code: null }, output: null, retryAt: T0 + 5 * MINUTE };
  await finishOne(store, run, T0 + MINUTE, { end });
  const hand = connect(file);
  hand.prepare(`UPDATE pipeline_states SET last_pause = '{"from":1,"until":2}'`).run();
  hand.prepare(`INSERT INTO meta (key, value) VALUES ('global_pause', '{"pause":null,"lastPause":{"from":3,"until":4}}')`).run();
  hand.prepare(`UPDATE runs SET cancel_request = '{"at":5,"user":"ana","reason":"wrong"}'`).run();
  hand.close();
  expect((await store.states(["a"]))[0]?.endedPauses).toEqual([{ from: 1, until: 2, reason: null, user: null }]);
  expect(await store.globalPause()).toEqual({ pause: null, endedPauses: [{ from: 3, until: 4, reason: null, user: null }] });
  const { attempts, ended } = await claim(store, T0 + 5 * MINUTE);
  expect(attempts).toEqual([]);
  expect(ended.map(({ run: one, trigger }) => [one.status, one.endedAt, one.cancelRequest?.user, trigger.endReason])).toEqual([
    ["cancelled", T0 + 5 * MINUTE, "ana", "wrong"],
  ]);
  expect(await claim(store, T0 + 9 * MINUTE)).toMatchObject({ attempts: [], ended: [] });
  await store.close();
});
