import { access } from "node:fs/promises";
import { connect } from "node:net";
import type { Condition } from "../../gate/condition.js";
import type { ExternalDependency } from "../../ports/dependency.js";

const DEFAULT_TIMEOUT_MS = 5_000;

/** The condition that an external system answers; one that does not blocks. Its answer is shared between pipelines for a short time. */
export function dependsOn(dependency: ExternalDependency): Condition {
  const address = addressOf(dependency);
  const name = `depends on ${dependency.name ?? address}`;
  return {
    name,
    needs: "outside",
    onError: "block",
    timeoutMs: dependency.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    evaluate: async ({ measure, signal }) => {
      const problem = await measure({ name: `dependency ${JSON.stringify(dependency)}`, measure: () => ask(dependency, signal) });
      if (problem === null) return { result: "pass", reason: `${address} answers`, evidence: { type: dependency.type, address } };
      return { result: "block", reason: `${address}: ${problem}`, evidence: { type: dependency.type, address, problem } };
    },
  };
}

/** Without a user, a password or a query, which may be secret. */
function addressOf(dependency: ExternalDependency): string {
  if (dependency.type === "tcp") return `${dependency.host}:${dependency.port}`;
  if (dependency.type === "file") return dependency.path;
  const { protocol, host, pathname } = new URL(dependency.url);
  return `${protocol}//${host}${pathname}`;
}

/** What is wrong with it; `null` when nothing is. */
async function ask(dependency: ExternalDependency, signal: AbortSignal): Promise<string | null> {
  if (dependency.type === "http") return askHttp(dependency, signal);
  if (dependency.type === "tcp") return askTcp(dependency, signal);
  return access(dependency.path).then(
    () => null,
    (error: NodeJS.ErrnoException) => `cannot be reached (${error.code ?? error.message})`,
  );
}

/** A connection kept from the last time may have gone since: that says nothing of the system, and is tried again on a new one. */
const STALE = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

async function askHttp(
  { url, status }: Extract<ExternalDependency, { type: "http" }>,
  signal: AbortSignal,
  isAgain = false,
): Promise<string | null> {
  try {
    const response = await fetch(url, { signal });
    await response.body?.cancel();
    const isGood = status === undefined ? response.ok : response.status === status;
    return isGood ? null : `answers ${response.status}`;
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    if (!isAgain && STALE.has(cause?.code ?? ""))
      return askHttp({ type: "http", url, ...(status === undefined ? {} : { status }) }, signal, true);
    return `does not answer (${cause?.code ?? message})`;
  }
}

function askTcp({ host, port }: Extract<ExternalDependency, { type: "tcp" }>, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    const end = (problem: string | null) => {
      socket.destroy();
      resolve(problem);
    };
    socket
      .once("connect", () => end(null))
      .once("error", (error: NodeJS.ErrnoException) => end(`does not answer (${error.code ?? error.message})`));
  });
}
