import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more, in either direction, and neither side is told. */
  isDead: boolean;
}

/** A TCP proxy whose network can be broken in the ways in which networks break. */
export class FaultyNetwork {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #links = new Set<Link>();
  #listener: Server | null = null;
  #port = 0;
  #isStalled = false;
  #isSilent = false;
  #isRefusing = false;
  #delayMs = 0;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  get port(): number {
    return this.#port;
  }

  async listen(): Promise<this> {
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#link(client)).listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    this.#port = (this.#listener.address() as { port: number }).port;
    return this;
  }

  /** Resets every connection; new ones are accepted. */
  reset(): void {
    for (const link of this.#links) if (!link.isDead) close(link);
  }

  /** Ends the half of every connection that leads to the server, or from it. */
  halfClose(towards: "server" | "client"): void {
    for (const link of this.#links) if (!link.isDead) link[towards].end();
  }

  /** Holds bytes back until {@link heal}. */
  stall(): void {
    this.#isStalled = true;
    for (const { client, server } of this.#links) for (const socket of [client, server]) socket.pause();
  }

  /** Passes every piece on so much later. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Refuses new connections, and resets the others. */
  refuse(): void {
    this.#isRefusing = true;
    this.reset();
  }

  /** Drops everything without a word, as when a cable is pulled: connections that were open then stay dead. */
  silence(): void {
    this.#isSilent = true;
    for (const link of this.#links) link.isDead = true;
  }

  /** Ends every fault; what was cut stays cut. */
  heal(): void {
    this.#isStalled = this.#isSilent = this.#isRefusing = false;
    this.#delayMs = 0;
    for (const { client, server, isDead } of this.#links) if (!isDead) for (const socket of [client, server]) socket.resume();
  }

  /** Takes away connections that a silence has left dead, as the end of a machine would on the server's side. */
  sweep(): void {
    for (const link of this.#links) if (link.isDead) close(link);
  }

  async close(): Promise<void> {
    for (const link of this.#links) close(link);
    this.#listener?.close();
    if (this.#listener !== null) await once(this.#listener, "close");
  }

  #link(client: Socket): void {
    client.on("error", () => {}); // closed below, with its other half
    if (this.#isRefusing) return void client.resetAndDestroy();
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const link: Link = { client, server, isDead: this.#isSilent };
    this.#links.add(link);
    this.#pass(link, client, server);
    this.#pass(link, server, client);
    if (this.#isStalled) for (const socket of [client, server]) socket.pause();
  }

  #pass(link: Link, from: Socket, to: Socket): void {
    let delayed = 0;
    let order = Promise.resolve();
    const later = (act: () => void) => {
      if (this.#delayMs === 0 && delayed === 0) return act();
      delayed++;
      const dueAt = performance.now() + this.#delayMs;
      order = order.then(async () => {
        await wait(Math.max(0, dueAt - performance.now()));
        delayed--;
        act();
      });
    };
    from.on("error", () => {});
    from.on("data", (chunk) => {
      if (link.isDead) return;
      later(() => {
        if (!link.isDead && to.writable) to.write(chunk);
      });
    });
    from.on("end", () => {
      if (!link.isDead)
        later(() => {
          if (to.writable) to.end();
        });
    });
    from.on("close", (isBroken) => {
      if (link.isDead && from === link.client) return; // the server is not told
      if (isBroken && !link.isDead) close(link);
      if (link.client.destroyed && link.server.destroyed) this.#links.delete(link);
    });
  }
}

function close(link: Link): void {
  for (const socket of [link.client, link.server]) if (!socket.destroyed) socket.resetAndDestroy();
}
