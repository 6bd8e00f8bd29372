import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Service, serve } from "../../src/service/serve.js";
import { rawRequest } from "../support/raw-request.js";

const TOKEN = "a-token-of-the-tests-of-serve";
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function served(api: string): Promise<Service & { url: string; logged: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-serve-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "schedule_config.yaml");
  writeFileSync(
    file,
    `pipelines: { copy: { executor: { command: { command: "true" } } } }
store: { url: "memory:" }
triggers: { api: { port: 0, ${api} } }
security: { admin_token: "${TOKEN}" }
`,
  );
  const logged: string[] = [];
  const log = (_: string, message: string) => void logged.push(message);
  const service = await serve({ file, env: {}, watch: false, logger: () => ({ log }), onToken: () => {} });
  closers.push(() => service.stop());
  if (service.url === null) throw new Error("it does not listen");
  return { ...service, url: service.url, logged };
}

describe("headgate serve", () => {
  it("closes connections whose request does not come, and answers others meanwhile", { timeout: 30_000 }, async () => {
    const { url } = await served("body_timeout: 1s, connections: { headers_timeout: 1s, request_timeout: 2s }");
    const head = `POST /api/v1/trigger/manual HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
    const slow = [
      rawRequest(url, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "),
      rawRequest(url, `${head}Content-Length: 100\r\n\r\n{"rea`),
      rawRequest(url, ""),
    ];
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const [first, second, third] = await Promise.all(slow);
    expect(first).toMatch(/^HTTP\/1.1 408/);
    expect(second).toMatch(/^HTTP\/1.1 408/);
    expect(third).toMatch(/^(?:HTTP\/1.1 408|$)/);
  });

  it("closes connections beyond their limit", async () => {
    const { url } = await served("connections: { max_per_address: 3 }");
    const { port, hostname } = new URL(url);
    const sockets = Array.from({ length: 10 }, () => connect(Number(port), hostname).on("error", () => {}));
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    await Promise.all(sockets.slice(3).map((socket) => new Promise((resolve) => socket.once("close", resolve))));
    expect(sockets.slice(0, 3).every((socket) => !socket.destroyed)).toBe(true);
  });
});
