import dns from "node:dns";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createSocketServer, type Socket } from "node:net";
import { hostname, networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { slackChannel, webhookChannel } from "../../src/adapters/alerts/index.js";
import { webhookExecutor } from "../../src/adapters/executors/webhook/webhook.js";
import { dependsOn, httpProbe, httpTimestamp, sqlNumber, sqlProbe, sqlTimestamp, tcpProbe } from "../../src/adapters/probes/index.js";
import { httpSensor, sqlSensor } from "../../src/adapters/sensors/index.js";
import { type Probe, pipeline, type RemoteExecutor, type RemoteRun, type Sensor, systemClock } from "../../src/index.js";
import { notificationOf } from "../../src/monitor/notification.js";
import { harness } from "../support/harness.js";
import { type Service, service } from "../support/service.js";
import { SEED, scaled } from "./scale.js";

const NOW = Date.parse("2026-03-02T00:00:00Z");
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const folder = mkdtempSync(join(tmpdir(), "headgate-canary-"));
/** The only address that a test may allow; everything else on this machine is the canary. */
const ALLOWED = "127.0.0.2";
const ONLY_THERE = { allowPrivateNetworks: [`${ALLOWED}/32`] } as const;

/** Where connections came in: local addresses, and `socket` for a Unix socket. */
const reached: string[] = [];
let canary: Server;
let port = 0;
let location = "";
const unix = createSocketServer((socket) => {
  reached.push("socket");
  socket.destroy();
});

beforeAll(async () => {
  canary = createServer((_, response) =>
    location === ""
      ? response.end("{}")
      : response.writeHead(307, { location: location.replaceAll(/[^\x21-\x7e]/gu, encodeURIComponent) }).end(),
  );
  canary.on("connection", (socket: Socket) => {
    const address = (socket.localAddress ?? "").replace("::ffff:", "");
    reached.push(address);
    if (address !== ALLOWED) socket.destroy();
  });
  canary.listen(0, "::");
  await once(canary, "listening");
  port = (canary.address() as AddressInfo).port;
  unix.listen(join(folder, `.s.PGSQL.${port}`));
  await once(unix, "listening");
});
afterEach(() => {
  reached.length = 0;
  location = "";
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});
afterAll(() => {
  canary.closeAllConnections();
  canary.close();
  unix.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Addresses of this machine that the canary listens at, in every spelling that something may understand. */
const HERE: readonly string[] = [
  ..."127.0.0.1 127.0.0.1. 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 0X7F.0X0.0X0.0X1 0177.0.0.1 0177.1 017700000001 127.0.0.01 0 0.0.0.0 0x0 00.00".split(
    " ",
  ),
  ..."localhost LOCALHOST localhost. LocalHost ip6-localhost".split(" "),
  ..."[::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::] [0::0] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::FFFF:127.0.0.1] [::127.0.0.1] [::7f00:1]".split(
    " ",
  ),
  ..."[::ffff:0.0.0.0] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:7f00:0001::1] [::1%25lo] [::1%lo]".split(
    " ",
  ),
  ..."１２７.0.0.1 １２７。０。０。１ ①②⑦.⓪.⓪.① 127。0。0。1 127．0．0．1 ｌｏｃａｌｈｏｓｔ ⓛocalhost loc\u00adalhost %31%32%37.0.0.1 %6c%6f%63%61%6c%68%6f%73%74 127.0.0.1%2e".split(
    " ",
  ),
  hostname(),
  ...Object.values(networkInterfaces()).flatMap((all = []) =>
    all.map(({ address, family }) => (family === "IPv4" ? address : `[${address}]`)),
  ),
];
/** Returns all, or in the short form every third, from another one on for another seed. */
const sample = (list: readonly string[]) => list.filter((_, index) => index % scaled(3, 1) === SEED % scaled(3, 1));
/** Private and special addresses that are not this machine's: they must be refused before a connection is tried. */
const ELSEWHERE: readonly string[] = [
  ..."10.1.2.3 0xa.1.2.3 100.64.0.1 169.254.169.254 0xa9fea9fe 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.168.1.1 0300.0250.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255".split(
    " ",
  ),
  ..."[fc00::1] [fd00:ec2::254] [fe80::1] [fec0::1] [feff::1] [ff02::1] [100::1] [2001:db8::1] [2001::1] [3fff::1] [5f00::1] [::10.0.0.1] [::ffff:10.0.0.1] [::ffff:a9fe:a9fe] [::ffff:0:10.0.0.1] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::]".split(
    " ",
  ),
];

const signal = () => AbortSignal.timeout(300);
const measured = async (probe: Probe<unknown>) => probe.measure({ signal: signal(), now: NOW });
const polled = async (sensor: Sensor) => sensor.poll({ pipelineId: "a", cursor: null, signal: signal(), now: NOW, runs: async () => [] });
const alert = {
  id: "a",
  rule: "run_failed",
  severity: "critical",
  pipelineId: "a",
  labels: {},
  tags: [],
  status: "firing",
  since: NOW,
  firedAt: NOW,
  notifiedAt: NOW,
  message: "m",
  value: 1,
  limit: 0,
  silencedBy: null,
} as const;
const notification = notificationOf({
  id: "n",
  channel: "c",
  fallback: null,
  insteadOf: null,
  transitions: [{ kind: "fired", alert, at: NOW }],
  createdAt: NOW,
  attempts: 0,
  nextAt: NOW,
  error: null,
});

type Allowing = { readonly allowPrivateNetworks?: false | readonly string[] };
/** Every way by which an address comes in, when code does not allow private networks. */
const OVER_HTTP: Readonly<Record<string, (url: string, allowing: Allowing) => Promise<unknown>>> = {
  "an http probe": async (url, allowing) => measured(httpProbe({ url, ...allowing })),
  "an http timestamp": async (url, allowing) => measured(httpTimestamp({ url, path: "at", ...allowing })),
  "an http sensor": async (url, allowing) => polled(httpSensor({ url, every: "1m", ...allowing })),
  "a webhook channel": async (url, allowing) =>
    (async () => webhookChannel({ url, secret: SECRET, ...allowing }).send(notification, { signal: signal(), now: NOW }))(),
  "a Slack channel": async (url, allowing) =>
    (async () => slackChannel({ url, ...allowing }).send(notification, { signal: signal(), now: NOW }))(),
  "a webhook executor": async (url, allowing) =>
    webhookExecutor({ url, secret: SECRET, allowPrivateNetworks: false, ...allowing }).submit(await remoteRun(), {
      signal: signal(),
      clock: systemClock(),
      redact: (text) => text,
    }),
  "an http dependency of code": async (url, allowing) => throughGate({ type: "http", url }, allowing),
};
const BY_HOST: Readonly<Record<string, (host: string, allowing: Allowing) => Promise<unknown>>> = {
  "a tcp probe": async (host, allowing) => measured(tcpProbe({ host, port, ...allowing })),
  "a tcp dependency of code": async (host, allowing) => throughGate({ type: "tcp", host, port }, allowing),
};
const TO_SQL: Readonly<Record<string, (url: string, allowing: Allowing) => Promise<unknown>>> = {
  "an sql probe": async (url, allowing) => measured(sqlProbe({ url, ...allowing })),
  "an sql number": async (url, allowing) => measured(sqlNumber({ url, query: "SELECT 1", ...allowing })),
  "an sql timestamp": async (url, allowing) => measured(sqlTimestamp({ url, query: "SELECT 1", ...allowing })),
  "an sql sensor": async (url, allowing) => polled(sqlSensor({ url, query: "SELECT 1", every: "1m", ...allowing })),
};

type Dependency = Parameters<typeof dependsOn>[0];

let captured: Promise<RemoteRun> | null = null;
/** Returns a run as a scheduler hands it to an executor. */
function remoteRun(): Promise<RemoteRun> {
  captured ??= new Promise((resolve, reject) => {
    const executor: RemoteExecutor = {
      kind: "remote",
      name: "capturing",
      pollMs: 60_000,
      submit: async (run) => {
        resolve(run);
        return {};
      },
      poll: async () => ({ status: "running" }),
      cancel: async () => {}, // nothing runs
    };
    harness([pipeline({ id: "a", executor })])
      .then(({ scheduler }) => scheduler.trigger("a"))
      .catch(reject);
  });
  return captured;
}

/** Evaluates a dependency in the gate of a pipeline; throws when it blocks. */
async function throughGate(dependency: Dependency, allowing: Allowing): Promise<void> {
  const conditions = [dependsOn(dependency, allowing)];
  const { scheduler, clock } = await harness([pipeline({ id: "a", conditions, run: () => {} })]);
  const { id } = await scheduler.trigger("a");
  await clock.settle();
  const status = (await scheduler.getTrigger(id))?.status;
  await scheduler.stop({ drain: 0 });
  if (status !== "succeeded") throw new Error(`the trigger is ${status}`);
}

/** The host of a URL without the brackets of IPv6. */
const bare = (host: string) => host.replaceAll(/^\[|\]$/g, "");

describe("no connection is made to this machine", () => {
  it.each(Object.entries(OVER_HTTP))("by %s, however the address is spelt", async (name, ask) => {
    for (const host of name === "an http probe" ? HERE : sample(HERE)) {
      const urls = [
        `http://${host}:${port}/`,
        `http://public.invalid@${host}:${port}/`,
        `http://${host}:${port}\\@public.invalid/`,
        `http:${host}:${port}`,
        `HTTP:\\\\${host}:${port}/`,
      ];
      for (const url of urls.slice(0, scaled(name === "an http probe" ? 3 : 1, 5))) {
        await expect(ask(url, {}), url).rejects.toThrow();
        expect(reached, url).toEqual([]);
      }
    }
  });

  it.each(Object.entries(BY_HOST))("by %s, however the address is spelt", async (name, ask) => {
    for (const host of (name === "a tcp probe" ? HERE : sample(HERE)).flatMap((one) => (one.startsWith("[") ? [one, bare(one)] : [one]))) {
      await expect(ask(host, {}), host).rejects.toThrow();
      expect(reached, host).toEqual([]);
    }
  });

  const SQL: readonly ((host: string) => string)[] = [
    (host) => `postgres://${host}:${port}/x`,
    (host) => `postgresql://u@${host}:${port}/x?sslmode=disable`,
    (host) => `postgres://${ALLOWED}:${port}/x?host=${bare(host)}`,
    (host) => `postgres://${ALLOWED}/x?host=${encodeURIComponent(bare(host))}&port=${port}`,
    (host) => `postgres://${ALLOWED}:${port}/x?hostaddr=${bare(host)}&host=${bare(host)}`,
    (host) => `postgres://u:p@${ALLOWED}:1,${host}:${port}/x`,
    (host) => `postgres:///x?host=${bare(host)}&port=${port}`,
  ];
  it.each(Object.entries(TO_SQL))("by %s, however the address is spelt", async (name, ask) => {
    for (const host of name === "an sql probe" ? HERE : sample(HERE))
      for (const make of SQL) {
        await ask(make(host), ONLY_THERE).catch(() => {}); // where it went is looked at
        expect(
          reached.filter((address) => address !== ALLOWED),
          make(host),
        ).toEqual([]);
        reached.length = 0;
      }
  });

  it.each(Object.entries(TO_SQL))("by %s through a socket, a variable or an option", async (_, ask) => {
    const urls = [
      `postgres:///x?host=${folder}&port=${port}`,
      `postgres://${encodeURIComponent(folder)}:${port}/x`,
      `postgres://%2e%2f${encodeURIComponent(folder)}:${port}/x`,
      `postgres://x:${port}/x?host=${folder}`,
      "postgres:///x",
      "postgres:///",
      "postgres://",
      "postgresql:///x?user=postgres",
      "postgres:///x?sslmode=disable",
      "postgres:///x?service=x",
    ];
    for (const [name, value] of [
      ["PGHOST", "127.0.0.1"],
      ["PGHOST", folder],
      ["PGHOSTADDR", "127.0.0.1"],
    ] as const) {
      vi.stubEnv(name, value);
      vi.stubEnv("PGPORT", String(port));
      vi.stubEnv("PGPASSWORD", "hunter2");
      for (const url of urls) {
        await expect(ask(url, {}), url).rejects.toThrow();
        expect(reached, `${url} with ${name}=${value}`).toEqual([]);
      }
      vi.unstubAllEnvs();
    }
  });

  it("by an alert or a run sent through redirects, however the address is spelt", async () => {
    for (const [name, ask] of Object.entries(OVER_HTTP).slice(0, scaled(2, 7)))
      for (const host of sample(HERE)) {
        location = `http://${host}:${port}/`;
        await ask(`http://${ALLOWED}:${port}/`, ONLY_THERE).catch(() => {}); // it may fail or not: where it went is looked at
        expect(new Set(reached), `${name} to ${location}`).toEqual(new Set([ALLOWED]));
        reached.length = 0;
      }
  });

  it.each([
    "file:///etc/passwd",
    "ftp://127.0.0.1/",
    "gopher://127.0.0.1/",
    "data:text/plain,x",
    "http:///",
    "//127.0.0.1/",
    "unix:/var/run/docker.sock",
    "http://unix:/var/run/docker.sock:/x",
  ])("by a redirect to %s", async (to) => {
    location = to.startsWith("//") ? `//127.0.0.1:${port}/` : to;
    for (const ask of Object.values(OVER_HTTP)) await ask(`http://${ALLOWED}:${port}/`, ONLY_THERE).catch(() => {}); // where it went is looked at
    expect(new Set(reached)).toEqual(new Set([ALLOWED]));
  });
});

describe("addresses of other private networks are refused before a connection is tried", () => {
  it.each(Object.entries(OVER_HTTP).filter(([name]) => !name.includes("executor") && !name.includes("of code")))(
    "by %s",
    async (_, ask) => {
      for (const host of ELSEWHERE)
        await expect(ask(`http://${host}:${port}/`, {}), host).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
    },
  );

  it("by a tcp probe", async () => {
    for (const host of ELSEWHERE)
      await expect(measured(tcpProbe({ host: bare(host), port })), host).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
  });

  it.each(Object.entries(TO_SQL))("by %s", async (_, ask) => {
    for (const host of ELSEWHERE)
      await expect(ask(`postgres://${host}:${port}/x`, {}), host).rejects.toMatchObject({
        code: expect.stringMatching(/^(ADDRESS_REFUSED|INVALID_ARGUMENT)$/),
      });
  });

  it("and allowing all of one family allows nothing of the other", async () => {
    for (const host of ["127.0.0.1", "localhost"]) {
      await measured(httpProbe({ url: `http://${host}:${port}/`, allowPrivateNetworks: ["::/0"] })).catch(() => {}); // localhost may be ::1, which is allowed
      await measured(tcpProbe({ host, port, allowPrivateNetworks: ["::/0"] })).catch(() => {});
    }
    expect(reached.filter((address) => address !== "::1")).toEqual([]);
  });
});

describe("a name that is another address the second time", () => {
  /** The first answer is the address that is allowed, every later one the canary's. */
  function rebinding(mixed: boolean) {
    const real = dns.lookup;
    const counts = new Map<string, number>();
    const answer = (name: string): dns.LookupAddress[] => {
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      const [good, bad] = [
        { address: ALLOWED, family: 4 },
        { address: "127.0.0.1", family: 4 },
      ];
      return mixed ? [good, bad] : [count === 1 ? good : bad];
    };
    const stub = (
      name: string,
      options: dns.LookupOptions,
      done: (error: Error | null, found: string | dns.LookupAddress[], family?: number) => void,
    ) => {
      if (!name.endsWith(".test")) return real(name, { ...options, all: true }, done);
      const found = answer(name);
      if (options.all === true) return done(null, found);
      return done(null, found[0]?.address ?? "", found[0]?.family);
    };
    vi.spyOn(dns, "lookup").mockImplementation(stub as typeof dns.lookup);
    vi.spyOn(dns.promises, "lookup").mockImplementation((async (name: string, options?: dns.LookupOptions) => {
      const found = answer(name);
      return options?.all === true ? found : found[0];
    }) as typeof dns.promises.lookup);
  }

  it.each([
    ["by turns", false],
    ["both at once", true],
  ])("reaches nothing that is not allowed (%s)", async (_, mixed) => {
    rebinding(mixed);
    let name = 0;
    for (let round = 0; round < 3; round++) {
      for (const ask of Object.values(OVER_HTTP)) await ask(`http://n${name++}.test:${port}/`, ONLY_THERE).catch(() => {}); // where it went is looked at
      for (const ask of Object.values(BY_HOST)) await ask(`n${name++}.test`, ONLY_THERE).catch(() => {});
      for (const ask of Object.values(TO_SQL)) await ask(`postgres://n${name++}.test:${port}/x`, ONLY_THERE).catch(() => {});
      for (const ask of Object.values(OVER_HTTP)) {
        location = `http://n${name++}.test:${port}/`;
        await ask(`http://${ALLOWED}:${port}/`, ONLY_THERE).catch(() => {});
        await ask(`http://${ALLOWED}:${port}/`, ONLY_THERE).catch(() => {});
        location = "";
      }
    }
    expect(reached.length).toBeGreaterThan(10);
    expect(reached.filter((address) => address !== ALLOWED)).toEqual([]);
  });
});

describe("settings over HTTP", () => {
  let one: Service;
  beforeAll(async () => {
    one = await service([pipeline({ id: "sales", run: () => {} })], { tokenLimit: null, addressLimit: null });
  });
  afterAll(() => one.close());

  /** Sets a dependency, has it asked, and takes it away. */
  async function tried(dependency: object): Promise<void> {
    const about = JSON.stringify(dependency);
    const { status } = await one.ask("PUT", "/api/v1/schedule/config", { external_dependencies: [dependency] });
    expect([200, 400, 422], about).toContain(status);
    if (status === 200) {
      const { id } = await one.scheduler.trigger("sales");
      await one.clock.settle();
      expect((await one.scheduler.getTrigger(id))?.status, about).not.toBe("succeeded");
      await one.clock.advance("1m"); // what was found is kept for a while
      await one.ask("PUT", "/api/v1/schedule/config", { external_dependencies: null });
    }
    expect(reached, about).toEqual([]);
  }

  it("never make the service reach this machine by http", async () => {
    const { port: own } = new URL(one.url);
    expect(own).not.toBe(String(port));
    for (const host of sample(HERE)) await tried({ type: "http", url: `http://${host}:${port}/` });
  });

  it("never make the service reach this machine by tcp", async () => {
    for (const host of sample(HERE).flatMap((name) => (name.startsWith("[") ? [name, bare(name)] : [name])))
      await tried({ type: "tcp", host, port });
  });

  it("never make the service reach this machine by sql, or open a file", async () => {
    vi.stubEnv("PGHOST", "127.0.0.1");
    vi.stubEnv("PGPORT", String(port));
    for (const host of HERE.slice(0, 12)) await tried({ type: "sql", url: `postgres://${host}:${port}/x` });
    for (const url of [
      `postgres://${ALLOWED}/x?host=127.0.0.1&port=${port}`,
      `postgres:///x`,
      `postgres:///x?host=${folder}&port=${port}`,
      `postgres://${ALLOWED}/x?sslrootcert=/etc/passwd&host=127.0.0.1`,
      `postgres://${ALLOWED}/x?password=hunter2&host=127.0.0.1`,
      "postgres://127.0.0.1/x?options=-c%20default_transaction_read_only%3Doff",
      "sqlite:/etc/passwd",
      `sqlite:${join(folder, "x.db")}`,
      "sqlite::memory:",
      "sqlite:file:x?mode=memory",
    ])
      await tried({ type: "sql", url, query: "SELECT 1" });
  });

  it.each([
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c LIMIT 1",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "SET default_transaction_read_only = off; COMMIT; CREATE TABLE x (y int)",
    "SELECT pg_sleep(1000)",
  ])("never make the service run %s", async (query) => {
    for (const url of ["sqlite::memory:", "postgres:///postgres", `postgres://${ALLOWED}/postgres?host=127.0.0.1`]) {
      const { status } = await one.ask("PUT", "/api/v1/schedule/config", {
        external_dependencies: [{ type: "sql", url, query, timeout_ms: 500 }],
      });
      expect(status, url).toBe(422);
    }
  });

  it.each(["/etc/passwd", "/etc/shadow", "/proc/self/environ", ".", "/root", "../../etc/passwd"])(
    "never tell whether the file %s is there",
    async (path) => {
      expect((await one.ask("PUT", "/api/v1/schedule/config", { external_dependencies: [{ type: "file", path }] })).status).toBe(422);
    },
  );
});
