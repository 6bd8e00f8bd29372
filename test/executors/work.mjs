/** Does what the contract of executors asks for: as a program, and in a thread. */
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";

export async function work({ work, value, ms = 0 }, signal) {
  if (work === "fail") throw new Error("as requested", { cause: new RangeError("by its parameters") });
  if (work === "final") throw Object.assign(new Error("as requested"), { name: "NonRetryableError" });
  if (work === "slow") await wait(ms, undefined, { signal });
  return { value };
}

/** A thread's function. */
export default ({ parameters, signal, heartbeat }) => {
  if (parameters.work === "spin") for (const until = Date.now() + parameters.ms; Date.now() < until; );
  heartbeat({ seen: parameters.work });
  return work(parameters, signal);
};

export const named = ({ pipelineId, attempt }) => ({ pipelineId, attempt });

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  try {
    process.stdout.write(JSON.stringify(await work(JSON.parse(text))));
  } catch (error) {
    console.error(error.message);
    process.exitCode = error.name === "NonRetryableError" ? 64 : 1;
  }
}
