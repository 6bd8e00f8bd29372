/** Asks each url of its arguments and prints what came of it, with the authorities of its environment: `postgres-tls.test.ts`. */
import { sqlProbe } from "../../src/adapters/probes/index.js";

const query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
for (const url of process.argv.slice(2)) {
  const probe = sqlProbe({ url, query, allowPrivateNetworks: true });
  try {
    const { isHealthy } = await probe.measure({ signal: AbortSignal.timeout(20_000), now: 0 });
    console.log(isHealthy ? "encrypted" : "plain");
  } catch (error) {
    console.log((error as Error).message);
  }
}
