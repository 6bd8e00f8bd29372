import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { dialectOf, TYPES as POSTGRES_TYPES } from "../../src/adapters/stores/postgres/dialect.js";
import { migrations } from "../../src/adapters/stores/sql/schema.js";
import { TABLES } from "../../src/adapters/stores/sql/tables.js";
import { DIALECT, TYPES } from "../../src/adapters/stores/sqlite/dialect.js";

/** Versions that databases have been made with, and what they say: they never change. Released ones are added here. */
const FIXED = 4;
const SAID = { sqlite: "7142fe0f12a74b23", postgres: "88617e929f3fe571" };

const VERSIONS = migrations(DIALECT.name, TYPES);
/** Column of a table in a database. */
interface Found {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly pk: number;
}

/** The tables of a database with the first versions of the schema. */
function made(versions: number): ReadonlyMap<string, readonly Found[]> {
  const hand = connect(":memory:");
  for (const statement of VERSIONS.slice(0, versions).flat()) hand.exec(statement);
  const names = hand.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all() as {
    name: string;
  }[];
  const tables = names.map(({ name }) => {
    const columns = hand.prepare(`SELECT name, type, "notnull", pk FROM pragma_table_info('${name}')`).all() as unknown as Found[];
    return [name, columns] as const;
  });
  hand.close();
  return new Map(tables);
}

/** Names under which tables were made before they were renamed, and tables that are there no more. */
const CALLED: Readonly<Record<string, string>> = { pipeline_states: "pipelines" };
const DROPPED = ["config"];

describe("the schema", () => {
  it.each(VERSIONS.map((_, index) => index + 1))(
    "has after version %i the tables and columns that were added up to it, and no others",
    (version) => {
      const found = made(version);
      const isLast = version === VERSIONS.length;
      const nameOf = (name: string) => (isLast ? name : (CALLED[name] ?? name));
      const wanted = TABLES.filter(({ addedIn }) => addedIn <= version);
      expect([...found.keys()].filter((name) => isLast || !DROPPED.includes(name)).toSorted()).toEqual(
        wanted.map(({ name }) => nameOf(name)).toSorted(),
      );
      for (const { name, columns } of wanted) {
        const names = columns.filter(({ addedIn }) => addedIn <= version).map((column) => column.name);
        expect(
          found
            .get(nameOf(name))
            ?.map((column) => column.name)
            .toSorted(),
          name,
        ).toEqual(names.toSorted());
      }
    },
  );

  it("has the types that the fields say, allows nothing where they do, and has the keys of the tables", () => {
    const found = made(VERSIONS.length);
    for (const { name, columns, keyFields } of TABLES) {
      for (const [index, { name: column, type, isNullable }] of columns.entries()) {
        const one = found.get(name)?.find((other) => other.name === column);
        expect(one?.type, `${name}.${column}`).toBe(TYPES[type === "json" ? "text" : type]);
        expect(one?.pk ?? 0, `${name}.${column}`).toBe(index < keyFields ? index + 1 : 0);
        if (index >= keyFields) expect(one?.notnull, `${name}.${column}`).toBe(isNullable ? 0 : 1);
      }
    }
  });

  it("has the versions that were in use as they were", () => {
    const hash = (versions: readonly (readonly string[])[]) =>
      createHash("sha256")
        .update(JSON.stringify(versions.slice(0, FIXED)))
        .digest("hex")
        .slice(0, 16);
    expect({ sqlite: hash(VERSIONS), postgres: hash(migrations(dialectOf("public").name, POSTGRES_TYPES)) }).toEqual(SAID);
  });
});
