import { once } from "node:events";
import { createServer, type Socket } from "node:net";

/** A server that speaks just enough of PostgreSQL's protocol to ask for a password in clear text, and writes down all that it is sent. */
export async function passwordAskingServer(): Promise<{ readonly port: number; received(): string; close(): Promise<void> }> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the client hangs up
    socket.once("data", () => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]))); // AuthenticationCleartextPassword
    socket.on("data", (chunk) => chunks.push(chunk));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    received: () => Buffer.concat(chunks).toString("latin1"),
    close: async () => {
      for (const one of sockets) one.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
