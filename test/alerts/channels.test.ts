import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { Webhook } from "standardwebhooks";
import { afterAll, describe, expect, it } from "vitest";
import { consoleChannel, emailChannel, slackChannel, webhookChannel } from "../../src/adapters/alerts/index.js";
import { type AlertNotification, type AlertState, createScheduler, every, pipeline, runFailed } from "../../src/index.js";
import { notificationOf } from "../../src/monitor/notification.js";

const T0 = Date.parse("2026-03-02T00:00:00Z");
const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

interface Got {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A real server that answers as it is told. */
async function server(answer: (count: number) => number = () => 200) {
  const got: Got[] = [];
  const one = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      got.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      const status = answer(got.length);
      response.writeHead(status).end(status === 200 ? "ok" : "no_service");
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => one.once("listening", resolve));
  ends.push(() => one.close());
  return { url: `http://127.0.0.1:${(one.address() as AddressInfo).port}/hook/s3cret`, got };
}

const alert = (rest: Partial<AlertState> = {}): AlertState => ({
  id: "run_failed|sales|",
  rule: "run_failed",
  severity: "critical",
  pipelineId: "sales",
  labels: { team: "data" },
  tags: [],
  status: "firing",
  since: T0,
  firedAt: T0,
  notifiedAt: T0,
  message: "the last run failed: <b>& more</b>",
  value: 1,
  limit: 0,
  silencedBy: null,
  ...rest,
});
const notification = (alerts: readonly AlertState[] = [alert()], kind: "fired" | "resolved" = "fired"): AlertNotification =>
  notificationOf({
    id: "n1",
    channel: "c",
    fallback: null,
    insteadOf: null,
    transitions: alerts.map((one) => ({ kind, alert: one, at: T0 })),
    createdAt: T0,
    attempts: 0,
    nextAt: T0,
    error: null,
  });
const now = { signal: new AbortController().signal, now: T0 };
const here = { allowPrivateNetworks: true };

describe("the Slack channel", () => {
  it("sends blocks to an incoming webhook, with what people wrote escaped", async () => {
    const { url, got } = await server();
    await slackChannel({ url, ...here }).send(
      notification([alert(), alert({ id: "run_failed||", pipelineId: null, severity: "info" })]),
      now,
    );
    const message = JSON.parse(got[0]?.body ?? "");
    expect(message.text).toBe("[headgate] 2 alerts: run_failed (sales)");
    expect(message.blocks.map(({ type }: { type: string }) => type)).toEqual(["header", "section", "section", "context"]);
    expect(message.blocks[1].text).toEqual({
      type: "mrkdwn",
      text: ":red_circle: *run_failed* `sales`\nthe last run failed: &lt;b&gt;&amp; more&lt;/b&gt;\nat 2026-03-02T00:00:00Z",
    });
  });

  it("keeps within Slack's limits, and says when it was refused, without its secret address", async () => {
    const { url, got } = await server((count) => (count === 1 ? 200 : 404));
    const many = Array.from({ length: 500 }, (_, n) =>
      alert({ id: `run_failed|p${n}|`, pipelineId: `p${n}`, message: "x".repeat(10_000) }),
    );
    const channel = slackChannel({ url, ...here });
    await channel.send(notification(many), now);
    const { blocks } = JSON.parse(got[0]?.body ?? "");
    expect(blocks.length).toBeLessThanOrEqual(50);
    expect(JSON.stringify(blocks.at(-1))).toContain("480 more");
    const error = await channel.send(notification(), now).catch((problem: Error) => problem);
    expect(error).toMatchObject({ code: "CHANNEL_FAILED", message: "Slack responded with 404: no_service" });
    expect(JSON.stringify(error) + String(error)).not.toContain("s3cret");
  });

  it("asks no private network unless that is allowed", async () => {
    const { url } = await server();
    await expect(slackChannel({ url }).send(notification(), now)).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
  });
});

describe("the webhook channel", () => {
  it("signs by Standard Webhooks, and gives what is sent again the same id", async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const { url, got } = await server();
    const channel = webhookChannel({ url, secret, headers: { Authorization: "Bearer x" }, ...here });
    const at = Date.now();
    await channel.send(notification(), { ...now, now: at });
    await channel.send(notification(), { ...now, now: at });
    for (const { headers, body } of got) {
      const payload = new Webhook(secret).verify(body, headers as Record<string, string>) as { type: string; data: { alerts: object[] } };
      expect(payload).toMatchObject({
        type: "headgate.alerts",
        data: {
          id: "n1",
          severity: "critical",
          alerts: [{ kind: "fired", pipeline: "sales", value: 1, labels: { team: "data" }, fired_at: "2026-03-02T00:00:00.000Z" }],
        },
      });
      expect(headers).toMatchObject({ "webhook-id": "n1", authorization: "Bearer x", "content-type": "application/json" });
    }
    expect(() => webhookChannel({ url, secret: "whsec_!!!" })).toThrow(/whsec_/);
    expect(() => webhookChannel({ url: "file:///etc/passwd" })).toThrow(/http or https/);
  });
});

describe("the email channel", () => {
  interface Mail {
    readonly from: string;
    readonly to: string[];
    readonly text: string;
  }

  async function smtp(check: (address: string) => boolean = () => true) {
    const mails: Mail[] = [];
    const one = new SMTPServer({
      authOptional: true,
      disabledCommands: ["STARTTLS"],
      logger: false,
      onAuth: ({ username, password }, _, done) =>
        done(username === "ana" && password === "pw" ? null : new Error("no"), { user: username ?? "" }),
      onRcptTo: ({ address }, _, done) => done(check(address) ? null : new Error("no such mailbox")),
      onData: (stream, { envelope }, done) => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("end", () => {
          const from = envelope.mailFrom === false ? "" : envelope.mailFrom.address;
          mails.push({ from, to: envelope.rcptTo.map(({ address }) => address), text: Buffer.concat(chunks).toString() });
          done();
        });
      },
    });
    await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
    ends.push(() => new Promise<void>((resolve) => one.close(resolve)));
    return { port: (one.server.address() as AddressInfo).port, mails };
  }

  it("sends over a real SMTP server, with a subject, a text and headers by which mails about one alert make a thread", async () => {
    const { port, mails } = await smtp();
    const channel = emailChannel({
      server: `smtp://ana:pw@127.0.0.1:${port}`,
      from: "headgate@example.com",
      to: ["a@example.com", "b@example.com"],
    });
    await channel.send(notification(), now);
    await channel.send(notification([alert()], "resolved"), now);
    expect(mails.map(({ from, to }) => [from, to])).toEqual([
      ["headgate@example.com", ["a@example.com", "b@example.com"]],
      ["headgate@example.com", ["a@example.com", "b@example.com"]],
    ]);
    expect(mails[0]?.text).toMatch(/Subject: \[headgate\] CRITICAL run_failed sales/);
    expect(mails[0]?.text).toContain("X-Headgate-Severity: critical");
    expect(mails[0]?.text).toContain("Date: Mon, 02 Mar 2026 00:00:00 +0000");
    expect(mails[0]?.text).toContain("  at 2026-03-02T00:00:00Z");
    expect(mails[1]?.text).toMatch(/RESOLVED run_failed/);
    const thread = (text = "") => /References: (\S+)/.exec(text)?.[1];
    expect(thread(mails[0]?.text)).toBeDefined();
    expect(thread(mails[0]?.text)).toBe(thread(mails[1]?.text));
  });

  it("fails when the server refuses, or is not there, and can be used again", async () => {
    let isOpen = false;
    const { port, mails } = await smtp(() => isOpen);
    const channel = emailChannel({ server: { host: "127.0.0.1", port }, from: "a@example.com", to: "b@example.com" });
    await expect(channel.send(notification(), now)).rejects.toThrow(/no such mailbox/);
    isOpen = true;
    await channel.send(notification(), now);
    expect(mails.length).toBe(1);
    await expect(
      emailChannel({ server: "smtp://127.0.0.1:1", from: "a@example.com", to: "b@example.com" }).send(notification(), now),
    ).rejects.toThrow(/ECONNREFUSED/);
  });

  it("says what is wrong with its options, and lets nobody write headers", () => {
    expect(() => emailChannel({ server: "http://x", from: "a@b", to: "c@d" })).toThrow(/server/);
    expect(() => emailChannel({ server: "smtp://x", from: "a@b\r\nBcc: e@f", to: "c@d" })).toThrow(/addresses/);
    expect(() => emailChannel({ server: "smtp://x", from: "a@b", to: [] })).toThrow(/addresses/);
  });
});

describe("channels", () => {
  it("all say what to act on: error, run, attempt, trigger and link", async () => {
    const { url, got } = await server();
    const lines: string[] = [];
    const trigger = { id: "T1", kind: "manual" as const, scheduledFor: null, user: "ana", reason: null };
    const error = { message: "no warehouse", code: "E_WAREHOUSE" };
    const run = { id: "R1", status: "failed" as const, attempt: 3, startedAt: T0, endedAt: T0, error, trigger };
    const delivery = { id: "n1", channel: "c", fallback: null, insteadOf: null, createdAt: T0, attempts: 0, nextAt: T0, error: null };
    const transitions = [{ kind: "fired" as const, alert: alert({ run }), at: T0 }];
    const sent = notificationOf({ ...delivery, transitions }, "https://headgate.example");
    const channels = [
      slackChannel({ url, ...here }),
      webhookChannel({ url, ...here }),
      consoleChannel({ write: (line) => lines.push(line) }),
    ];
    for (const channel of channels) await channel.send(sent, now);
    const parts = ["R1", "attempt 3", "manual trigger T1 by ana", "no warehouse (E_WAREHOUSE)", "https://headgate.example/api/v1/runs/R1"];
    const [slack, hook] = got.map(({ body }) => JSON.parse(body));
    for (const part of parts) {
      expect(slack.blocks[1].text.text).toContain(part);
      expect(lines[0]).toContain(part);
      expect(hook.data.text).toContain(part);
    }
    expect(hook.data.alerts[0]).toMatchObject({
      at: "2026-03-02T00:00:00.000Z",
      link: "https://headgate.example/api/v1/runs/R1",
      run: { id: "R1", error },
    });
  });

  it("take words of one's own", async () => {
    const lines: string[] = [];
    const render = ({ alerts }: AlertNotification) => ({ subject: `${alerts.length} things`, text: "see the board" });
    await consoleChannel({ write: (line) => lines.push(line), render }).send(notification(), now);
    await consoleChannel({ write: (line) => lines.push(line) }).send(notification(), now);
    expect(lines[0]).toBe("1 things\nsee the board");
    expect(lines[1]).toContain("CRITICAL run_failed sales");
    expect(() => consoleChannel({ rateLimit: { count: 0, per: "1m" } })).toThrow(/rateLimit/);
  });

  it("carry an alert from a run that fails to a server, on the real clock", async () => {
    const { url, got } = await server((count) => (count === 1 ? 503 : 200));
    const failing = pipeline({
      id: "sales",
      schedule: every("1s"),
      alertOn: ["failure"],
      execution: { retries: 0 },
      run: () => {
        throw new Error("no warehouse");
      },
    });
    const scheduler = createScheduler({
      pipelines: [failing],
      logger: { log: () => {} },
      monitoring: { rules: [runFailed()], channels: [slackChannel({ url, ...here })], every: "200ms" },
    });
    const failed = new Promise((resolve) => scheduler.once("channel.failed", resolve));
    const fired = new Promise((resolve) => scheduler.once("alert.fired", resolve));
    await scheduler.start();
    await fired;
    await failed;
    const recovered = new Promise((resolve) => scheduler.once("channel.recovered", resolve));
    await recovered;
    expect(got.length).toBe(2);
    expect(got[1]?.body).toBe(got[0]?.body);
    await scheduler.stop({ drain: 0 });
  });
});
