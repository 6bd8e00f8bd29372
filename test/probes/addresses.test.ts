import dns from "node:dns";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { webhookChannel } from "../../src/adapters/alerts/index.js";
import { webhookExecutor } from "../../src/adapters/executors/webhook/webhook.js";
import { httpProbe, tcpProbe } from "../../src/adapters/probes/index.js";
import { httpSensor } from "../../src/adapters/sensors/index.js";
import { AddressRule } from "../../src/adapters/shared/address.js";
import type { Probe } from "../../src/index.js";
import { notificationOf } from "../../src/monitor/notification.js";

afterEach(() => vi.restoreAllMocks());
const look = <T>(probe: Probe<T>) => (async () => probe.measure({ signal: AbortSignal.timeout(10_000), now: 0 }))();

/** Networks of the two registries of special addresses and their heirs, each with its first and an inner address. */
const SPECIAL: readonly (readonly [network: string, ...addresses: string[]])[] = [
  ["0.0.0.0/8", "0.0.0.0", "0.1.2.3"],
  ["10.0.0.0/8", "10.0.0.0", "10.255.255.255"],
  ["100.64.0.0/10", "100.64.0.0", "100.127.255.255"],
  ["127.0.0.0/8", "127.0.0.1", "127.255.255.254"],
  ["169.254.0.0/16", "169.254.169.254"],
  ["172.16.0.0/12", "172.16.0.0", "172.31.255.255"],
  ["192.0.0.0/24", "192.0.0.8", "192.0.0.170"],
  ["192.0.2.0/24", "192.0.2.1"],
  ["192.88.99.0/24", "192.88.99.1"],
  ["192.168.0.0/16", "192.168.255.255"],
  ["198.18.0.0/15", "198.18.0.0", "198.19.255.255"],
  ["198.51.100.0/24", "198.51.100.7"],
  ["203.0.113.0/24", "203.0.113.7"],
  ["224.0.0.0/4", "224.0.0.1", "239.255.255.255"],
  ["240.0.0.0/4", "240.0.0.0", "255.255.255.255"],
  ["::/128", "::", "0:0:0:0:0:0:0:0"],
  ["::1/128", "::1", "0000:0000:0000:0000:0000:0000:0000:0001"],
  ["::/96, IPv4-compatible", "::127.0.0.1", "::7f00:1", "::8.8.8.8"],
  ["::ffff:0:0/96, mapped", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:10.1.2.3", "::FFFF:169.254.169.254"],
  ["::ffff:0:0:0/96, translated", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8"],
  ["64:ff9b::/96, NAT64", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe"],
  ["64:ff9b:1::/48", "64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8"],
  ["100::/64", "100::1"],
  ["100:0:0:1::/64", "100:0:0:1::1"],
  ["2001::/23", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1"],
  ["2001:db8::/32", "2001:db8::1"],
  ["2002::/16, 6to4", "2002:7f00:1::", "2002:808:808::1"],
  ["3ffe::/16", "3ffe::1"],
  ["3fff::/20", "3fff::1", "3fff:fff::1"],
  ["5f00::/16", "5f00::1"],
  ["fc00::/7", "fc00::1", "fdff::1"],
  ["fe80::/10", "fe80::1", "febf::1", "fe80::1%lo", "FE80::1%25eth0"],
  ["fec0::/10", "fec0::1", "feff::1"],
  ["ff00::/8", "ff02::1"],
  ["what is not assigned", "200::1", "4000::1", "8000::1", "e000::1"],
];

describe("the rule for addresses", () => {
  it.each(SPECIAL)("does not let %s through", (_, ...addresses) => {
    const rule = new AddressRule({});
    expect(addresses.filter((one) => rule.allows(one))).toEqual([]);
    for (const one of addresses) expect(() => rule.check(one), one).toThrow(/private network/);
  });

  it.each([
    "8.8.8.8",
    "1.1.1.1",
    "192.31.196.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "2620:4f:8000::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
  ])("lets %s through", (address) => expect(new AddressRule({}).allows(address)).toBe(true));

  it.each([
    [["::/0"], "127.0.0.1", false],
    [["::/0"], "10.1.2.3", false],
    [["::/0"], "::ffff:127.0.0.1", false],
    [["::/0"], "::127.0.0.1", false],
    [["::/0"], "64:ff9b::10.0.0.1", false],
    [["::/0"], "2002:7f00:1::", false],
    [["::/0"], "::ffff:0:192.168.0.1", false],
    [["::/0"], "2001:0:7f00:1::", false],
    [["::/0"], "::1", true],
    [["::/0"], "fd00::1", true],
    [["::/0"], "2002:808:808::", true],
    [["0.0.0.0/0"], "::1", false],
    [["0.0.0.0/0"], "fd00::1", false],
    [["0.0.0.0/0"], "::ffff:127.0.0.1", true],
    [["0.0.0.0/0"], "::127.0.0.1", false],
    [["0.0.0.0/0"], "64:ff9b::127.0.0.1", true],
    [["127.0.0.0/8"], "::ffff:7f00:1", true],
    [["127.0.0.0/8"], "::ffff:10.0.0.1", false],
    [["127.0.0.0/8", "::/96"], "::127.0.0.1", true],
    [["10.0.0.0/8", "2002::/16"], "2002:7f00:1::", false],
    [["fe80::/10"], "fe80::1%eth0", true],
  ])("with %j allowed, asks %s: %s", (allowPrivateNetworks, address, isAllowed) => {
    expect(new AddressRule({ allowPrivateNetworks }).allows(address)).toBe(isAllowed);
  });

  it.each(["::ffff:127.0.0.0/104", "fe80::1%eth0/64", "10.0.0.0/33", "::/129", "10/8", "x", "", "10.0.0.0/-1", "10.0.0.0/1.5"])(
    "does not take %s for a network",
    (network) =>
      expect(() => new AddressRule({ allowPrivateNetworks: [network] })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" })),
  );
});

/** Spellings of 127.0.0.1, ::1 and the like. */
const SPELLINGS = [
  "127.0.0.1",
  "2130706433",
  "017700000001",
  "0x7f000001",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "127.1",
  "127.0.1",
  "0",
  "0.0.0.0",
  "127.0.0.1.",
  "localhost",
  "LOCALHOST.",
  "ip6-localhost",
  "１２７.0.0.1",
  "①②⑦.0.0.1",
  "127。0。0。1",
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[0:0:0:0:0:ffff:7f00:0001]",
  "[::127.0.0.1]",
  "[::ffff:0:127.0.0.1]",
  "[64:ff9b::127.0.0.1]",
  "[2002:7f00:1::]",
  "[fe80::1%25lo]",
  "[fec0::1]",
  "[5f00::1]",
];

describe("this machine", () => {
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections++;
    socket.destroy();
  });
  let port = 0;
  beforeAll(async () => {
    server.listen(0);
    await once(server, "listening");
    port = (server.address() as { port: number }).port;
  });
  afterAll(() => server.close());

  it.each(SPELLINGS)("is not reached as %s, over TCP or HTTP", async (host) => {
    connections = 0;
    const plain = host.replace(/^\[|\]$/g, "").replace("%25", "%");
    await expect(look(tcpProbe({ host: plain, port }))).rejects.toThrow();
    await expect((async () => look(httpProbe({ url: `http://${host}:${port}/` })))()).rejects.toThrow();
    await expect(
      (async () =>
        httpSensor({ url: `http://${host}:${port}/` }).poll({ cursor: null, signal: AbortSignal.timeout(9_000), now: 0 } as never))(),
    ).rejects.toThrow();
    expect(connections).toBe(0);
  });

  it.each(["http", "tcp"])("is not reached by a name that turns to it after it was looked at, over %s", async (kind) => {
    connections = 0;
    const lookups = vi.spyOn(dns, "lookup").mockImplementation(((
      _: string,
      options: { all?: boolean },
      done: (...found: unknown[]) => void,
    ) => {
      const addresses = lookups.mock.calls.length === 1 ? ["127.0.0.1", "10.0.0.1"] : ["8.8.8.8"];
      const found = addresses.map((address) => ({ address, family: 4 }));
      if (options.all === true) done(null, found);
      else done(null, addresses[0], 4);
    }) as never);
    const probe = kind === "http" ? httpProbe({ url: `http://turning.example:${port}/` }) : tcpProbe({ host: "turning.example", port });
    await expect(look(probe as Probe<unknown>)).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
    expect([lookups.mock.calls.length, connections]).toEqual([1, 0]);
  });
});

describe("a redirect to another origin", () => {
  const requests: IncomingMessage[] = [];
  const bodies: string[] = [];
  const servers: Server[] = [];
  let base = "";
  let elsewhere = "";
  const listening = async (answer: (request: IncomingMessage) => string | null) => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        requests.push(request);
        bodies.push(Buffer.concat(chunks).toString());
        const location = answer(request);
        if (location === null) response.end("{}");
        else response.writeHead(Number(request.url?.slice(1, 4)), { location }).end();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  };
  beforeAll(async () => {
    elsewhere = await listening(() => null);
    base = await listening((request) => (/^\/3/.test(request.url ?? "") ? `${elsewhere}/there` : null));
  });
  afterAll(() => {
    for (const one of servers) {
      one.closeAllConnections();
      one.close();
    }
  });

  const SECRETS = {
    Authorization: "s3cret",
    Cookie: "s3cret",
    "X-Api-Key": "s3cret",
    "X-Auth-Token": "s3cret",
    "PRIVATE-TOKEN": "s3cret",
    "X-Anything": "s3cret",
  };
  const LOCAL = { allowPrivateNetworks: true } as const;

  it.each([301, 302, 303, 307, 308])("takes no header there that may hold a key (%i)", async (status) => {
    requests.length = 0;
    await look(
      httpProbe({
        url: `${base.replace("//", "//me:s3cret@")}/${status}?token=s3cret`,
        headers: { ...SECRETS, Accept: "application/json" },
        ...LOCAL,
      }),
    );
    const sensor = httpSensor({ url: `${base}/${status}`, headers: SECRETS, ...LOCAL });
    await sensor.poll({ cursor: null, signal: AbortSignal.timeout(9_000), now: 0 } as never);
    const there = requests.filter(({ url }) => url === "/there");
    expect(there).toHaveLength(2);
    expect(there[0]?.headers.accept).toBe("application/json");
    expect(JSON.stringify(there.map(({ rawHeaders, url }) => [rawHeaders, url]))).not.toContain("s3cret");
  });

  it.each([301, 302, 303, 307, 308])(
    "takes neither a run nor a notification there, and does not count as their success (%i)",
    async (status) => {
      requests.length = 0;
      bodies.length = 0;
      const secret = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtMTIz";
      const executor = webhookExecutor({ url: `${base}/${status}`, secret, headers: SECRETS, callbackUrl: "http://127.0.0.1:1/callbacks" });
      const run = {
        submissionId: "run-1",
        runId: "run",
        pipelineId: "a",
        attempt: 1,
        trigger: { scheduledFor: null, intervalStart: null, catchup: null },
        parameters: { key: "s3cret" },
        timeoutMs: 1_000,
      };
      const clock = { now: () => 0 };
      await expect(executor.submit(run as never, { signal: AbortSignal.timeout(9_000), clock } as never)).rejects.toThrow(
        /redirects to .*and the body is not sent there/,
      );
      const channel = webhookChannel({ url: `${base}/${status}`, secret, headers: SECRETS, ...LOCAL });
      const notification = notificationOf({
        id: "n1",
        channel: "c",
        fallback: null,
        insteadOf: null,
        transitions: [],
        createdAt: 0,
        attempts: 0,
        nextAt: 0,
        error: null,
      });
      await expect(channel.send(notification, { signal: AbortSignal.timeout(9_000), now: 0 })).rejects.toThrow(/body is not sent/);
      await expect(look(httpProbe({ url: `${base}/${status}`, method: "POST", body: "s3cret", ...LOCAL }))).rejects.toThrow(
        /configure that address/,
      );
      expect(requests.map(({ url }) => url)).toEqual([`/${status}`, `/${status}`, `/${status}`]);
    },
  );
});
