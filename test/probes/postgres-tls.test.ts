import { execFile, execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sqlNumber } from "../../src/adapters/probes/index.js";
import { type PrivatePostgres, postgresBinaries, privatePostgres } from "../support/private-postgres.js";

const bin = postgresBinaries();

describe.skipIf(bin === null)("a PostgreSQL server that encrypts", () => {
  const folder = mkdtempSync(join(tmpdir(), "headgate-tls-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  let server: PrivatePostgres;
  let port = "";

  beforeAll(async () => {
    server = await privatePostgres(bin ?? "");
    port = new URL(server.url).port;
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate, ...subject],
      { stdio: "ignore" },
    );
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const [row] = (await client.query("SELECT current_setting('data_directory') AS folder")).rows;
    const { uid, gid } = statSync(row.folder);
    for (const one of [folder, key, certificate]) chownSync(one, uid, gid);
    await client.query(`ALTER SYSTEM SET ssl_cert_file = '${certificate}'`);
    await client.query(`ALTER SYSTEM SET ssl_key_file = '${key}'`);
    await client.query("ALTER SYSTEM SET ssl = on");
    await client.end();
    server.restart();
  }, 120_000);
  afterAll(() => {
    server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const asked = async (urls: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const script = fileURLToPath(new URL("tls.fixture.ts", import.meta.url));
    const args = ["--import", "tsx", script, ...urls];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      timeout: 60_000,
    });
    return stdout.trim().split("\n");
  };
  const at = (host: string, mode: string) => `postgres://postgres@${host}:${port}/postgres?sslmode=${mode}`;

  it("is not taken at its word: its certificate and name are checked, whatever the process's PGSSLMODE says", async () => {
    const urls = ["disable", "no-verify", "require", "verify-ca", "verify-full"].map((mode) => at("localhost", mode));
    const [disable, noVerify, ...checked] = await asked(urls, { PGSSLMODE: "no-verify", PGSSLROOTCERT: certificate });
    expect([disable, noVerify]).toEqual(["plain", "encrypted"]);
    expect(checked).toHaveLength(3);
    for (const one of checked) expect(one).toMatch(/self-signed certificate/);
  });

  it("is believed under its own name only, though the address is found before", async () => {
    const [named, other] = await asked([at("localhost", "verify-full"), at("127.0.0.1", "verify-full")], {
      NODE_EXTRA_CA_CERTS: certificate,
    });
    expect(named).toBe("encrypted");
    expect(other).toMatch(/does not match certificate's altnames/);
  });

  it("cannot fill the memory by what it encrypts", async () => {
    const probe = sqlNumber({
      url: at("localhost", "no-verify"),
      query: "SELECT repeat(md5(random()::text), 1000000)",
      allowPrivateNetworks: true,
    });
    await expect((async () => probe.measure({ signal: AbortSignal.timeout(20_000), now: 0 }))()).rejects.toThrow(/more than 1048576 bytes/);
  });
});
