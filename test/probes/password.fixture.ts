/** Asks the server of its first argument, with passwords in its environment and home: `password-asked.test.ts`. */
import { sqlProbe } from "../../src/adapters/probes/index.js";

const probe = sqlProbe({ url: `postgres://postgres@127.0.0.1:${process.argv[2]}/postgres`, allowPrivateNetworks: true });
try {
  await probe.measure({ signal: AbortSignal.timeout(20_000), now: 0 });
  console.log("answered");
} catch (error) {
  console.log((error as Error).message);
}
