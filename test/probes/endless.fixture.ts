/** Asks a SQLite file something without end: `sql.test.ts`. */
import { sqlProbe } from "../../src/adapters/probes/index.js";

const [, , file, query = ""] = process.argv;
await sqlProbe({ url: `sqlite:${file}`, query }).measure({ signal: new AbortController().signal, now: 0 });
