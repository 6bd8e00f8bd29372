import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Passes bytes on until `freeze` is called, or a statement comes by that `pattern` finds; from then on nothing, without a word: as when a machine loses its power, or a firewall drops. */
export async function freezingProxy(
  target: URL,
  pattern?: RegExp,
): Promise<{ url: string; frozen: Promise<void>; freeze(): void; close(): void }> {
  const sockets = new Set<Socket>();
  let isFrozen = false;
  let onFrozen = () => {};
  const frozen = new Promise<void>((resolve) => {
    onFrozen = resolve;
  });
  const freeze = () => {
    isFrozen = true;
    onFrozen();
  };
  const listener = createServer((client) => {
    if (isFrozen) return void sockets.add(client);
    const server = connect(Number(target.port || 5432), target.hostname);
    for (const socket of [client, server]) sockets.add(socket.on("error", () => {}));
    client.on("data", (chunk) => {
      if (isFrozen) return;
      server.write(chunk);
      if (pattern?.test(chunk.toString("latin1"))) freeze();
    });
    server.on("data", (chunk) => {
      if (!isFrozen) client.write(chunk);
    });
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const through = new URL(target);
  through.hostname = "127.0.0.1";
  through.port = String((listener.address() as { port: number }).port);
  const close = () => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: through.toString(), frozen, freeze, close };
}
