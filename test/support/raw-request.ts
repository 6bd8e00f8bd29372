import { connect } from "node:net";

/** Sends bytes as they are; resolves with all that comes back until the connection ends. */
export function rawRequest(url: string, text: string): Promise<string> {
  const { port, hostname } = new URL(url);
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.once("close", () => resolve(answer)).once("error", () => {});
  });
}
