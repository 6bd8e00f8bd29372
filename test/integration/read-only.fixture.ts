/** Opens a database file as somebody who may not write to it, and prints the error. */
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";

const [own = "", other = ""] = process.argv.slice(2);
const first = sqliteStore({ file: own });
await first.open(); // loads the driver while this process may still read its files
await first.close();
if (process.getuid?.() === 0) process.setuid?.(65_534);
try {
  await sqliteStore({ file: other }).open();
  console.log(JSON.stringify({ code: null, message: "it opened" }));
} catch (error) {
  const { code, message } = error as { code: string; message: string };
  console.log(JSON.stringify({ code, message }));
}
