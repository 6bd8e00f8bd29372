import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { newFolder } from "../support/cli.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

describe("headgate serve that starts", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("while its database does not answer ends within 2 s of %s, with exit code 0", async (signal) => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.on("error", () => {}))).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const child = spawn(process.execPath, [CLI, "serve", "--port", "0"], {
      cwd: newFolder(),
      env: { PATH: process.env.PATH, HOME: process.env.HOME, DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/test` },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const exit = once(child, "exit");
    try {
      await Promise.race([once(silent, "connection"), exit.then(() => Promise.reject(new Error(text)))]);
      const sentAt = performance.now();
      child.kill(signal);
      const [code] = await exit;
      expect(performance.now() - sentAt).toBeLessThan(2_000);
      expect([code, text]).toEqual([0, expect.stringContaining('"message":"stopped"')]);
    } finally {
      child.kill("SIGKILL");
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });
});
