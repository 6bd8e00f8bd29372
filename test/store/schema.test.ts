import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import * as tables from "../../src/adapters/stores/sql/tables.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-schema-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Described {
  readonly name: string;
  readonly columns: readonly { readonly name: string }[];
}

it("the schema has the columns that the records are written to, table by table, and no others", async () => {
  const file = join(folder, "store.db");
  const store = sqliteStore({ file });
  await store.open();
  await store.close();
  const described = Object.values(tables).filter((one): one is typeof one & Described => typeof one === "object" && "columns" in one);
  const hand = connect(file);
  const made = hand.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name").all() as {
    name: string;
  }[];
  expect(described.map(({ name }) => name).toSorted()).toEqual(made.map(({ name }) => name));
  for (const { name, columns } of described) {
    const found = hand.prepare(`SELECT name FROM pragma_table_info('${name}')`).all() as { name: string }[];
    expect(columns.map((one) => one.name).toSorted(), name).toEqual(found.map((one) => one.name).toSorted());
  }
  hand.close();
});
