import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { HeadgateError, type RemoteExecutor, type RemoteState } from "../../src/index.js";

/** An engine elsewhere, over real HTTP: each job takes a second, and is started once per id. */
export class Engine {
  readonly starts = new Map<string, number>();
  readonly submissions = new Map<string, number>();
  readonly #begun = new Map<string, number>();
  readonly #server = createServer((request, response) => {
    const id = (request.url ?? "").slice(1);
    if (request.method === "POST") {
      this.submissions.set(id, (this.submissions.get(id) ?? 0) + 1);
      if (!this.#begun.has(id)) {
        this.#begun.set(id, Date.now());
        this.starts.set(id, (this.starts.get(id) ?? 0) + 1);
      }
      setTimeout(() => response.end("{}"), 30); // long enough to be killed in between
      return;
    }
    const begun = this.#begun.get(id);
    const state: RemoteState =
      begun === undefined ? { status: "lost" } : Date.now() - begun < 1_000 ? { status: "running" } : { status: "succeeded", output: id };
    response.end(JSON.stringify(state));
  });

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await new Promise((resolve) => this.#server.once("listening", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export function engineAt(url: string): RemoteExecutor {
  const ask = async (method: string, id: string, signal: AbortSignal) => {
    try {
      return (await (await fetch(`${url}/${id}`, { method, signal })).json()) as RemoteState;
    } catch (cause) {
      throw new HeadgateError("EXECUTOR_UNAVAILABLE", "the engine does not answer", { cause });
    }
  };
  return {
    kind: "remote",
    name: "engine",
    pollMs: 100,
    submit: async ({ submissionId }, { signal }) => {
      await ask("POST", submissionId, signal);
      return submissionId;
    },
    poll: (reference, { signal }) => ask("GET", reference as string, signal),
    cancel: async () => {},
  };
}
