import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { memoryStore } from "../../src/index.js";
import { freshSchema } from "../support/postgres.js";
import type { Place } from "./player/play.js";

export type StoreName = "memory" | "sqlite" | "postgres";

/** Nothing of a world is forgotten. */
const RETENTION = { count: 1_000_000, maxAge: "36500d" } as const;

/** Makes new places of each kind, and removes what they leave. */
export class Places {
  readonly #folder = mkdtempSync(join(tmpdir(), "headgate-worlds-"));
  readonly #databaseUrl: string | null;
  #count = 0;

  constructor(databaseUrl: string | null) {
    this.#databaseUrl = databaseUrl;
  }

  make(name: StoreName): Place {
    if (name === "memory") {
      const store = memoryStore({ retention: RETENTION });
      return { name, open: () => store };
    }
    if (name === "sqlite") {
      const file = join(this.#folder, `${this.#count++}.db`);
      return { name, open: () => sqliteStore({ file, synchronous: "normal", retention: RETENTION }) };
    }
    const connectionString = this.#databaseUrl;
    if (connectionString === null) throw new Error("there is no PostgreSQL");
    const schema = freshSchema();
    return { name, open: () => postgresStore({ connectionString, schema, retention: RETENTION }) };
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
