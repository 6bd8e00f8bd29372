import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";

/** Opens a SQLite file and says so. */
const store = sqliteStore({ file: process.argv[2] ?? "" });
await store.open().then(
  () => console.log("open"),
  (error: Error) => console.log(error.message),
);
await store.close();
