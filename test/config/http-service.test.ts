import { describe, expect, it } from "vitest";
import { around, loaded, problemsOf } from "../support/config-file.js";

const API = (text: string) => around("schedule: { every: 1h }", `triggers: { api: { ${text} } }`);
const CALLBACK = (url: string, prefix = "") => `pipelines:
  sales: { executor: { webhook: { url: "https://jobs.example/run", secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0, callback_url: "${url}" } } }
triggers: { api: { prefix: "${prefix}" } }
`;

describe("a callback_url", () => {
  it.each(["http://host", "https://host/", "https://host:8443", "https://host//", "https://host/?a=b"])(
    "%s has no path, and may not take every request of the service",
    (url) => {
      const [problem, ...others] = problemsOf(CALLBACK(url));
      expect(others).toEqual([]);
      expect(problem).toContain("pipelines.sales.executor.webhook.callback_url: must have a path, such as https://etl.example/callbacks");
    },
  );

  it.each([
    ["https://host/health", "", "/health"],
    ["https://host/api", "", "/api/v1"],
    ["https://host/api/v1/callbacks", "", "/api/v1"],
    ["https://host/etl", "/etl", "/etl/health"],
    ["https://host/etl/metrics/", "/etl", "/etl/metrics"],
  ])("%s under the prefix %j may not take requests from %s", (url, prefix, own) => {
    const [problem] = problemsOf(CALLBACK(url, prefix));
    expect(problem).toContain(`would take requests from ${own} of the service`);
  });

  it.each([
    ["https://host/back", ""],
    ["https://host/healthy", ""],
    ["https://host/health", "/etl"],
    ["https://host/etl/callbacks", "/etl"],
  ])("%s under the prefix %j is right", (url, prefix) => {
    expect(loaded(CALLBACK(url, prefix)).callbacks.map(({ path }) => path)).toEqual([new URL(url).pathname]);
  });
});

describe("limits of connections", () => {
  const limits = (text: string) => loaded(API(text)).api?.listen.limits;

  it("have defaults, longer than what a body may take", () => {
    expect(limits("port: 0")).toEqual({ headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, keepAliveTimeoutMs: 10_000 });
    expect(limits("body_timeout: 1m")).toMatchObject({ requestTimeoutMs: 70_000 });
    expect(limits("trust_proxy: 1")).toMatchObject({ maxConnectionsPerAddress: null }); // they are all the proxy's
  });

  it("are those of the file", () => {
    expect(
      limits(
        "trust_proxy: 1, connections: { max: 50, max_per_address: 5, headers_timeout: 2s, request_timeout: 20s, keep_alive_timeout: 70s, max_requests: 9 }",
      ),
    ).toEqual({
      maxConnections: 50,
      maxConnectionsPerAddress: 5,
      headersTimeoutMs: 2_000,
      requestTimeoutMs: 20_000,
      keepAliveTimeoutMs: 70_000,
      maxRequestsPerConnection: 9,
    });
    expect(limits("connections: { max_per_address: false }")).toMatchObject({ maxConnectionsPerAddress: null });
  });

  it.each([
    [
      "connections: { request_timeout: 15s }",
      "request_timeout",
      "must be at least 20s, as long as headers_timeout and body_timeout together",
    ],
    ["connections: { headers_timeout: 10ms }", "headers_timeout", "must be at least 1s"],
    ["connections: { keep_alive_timeout: 0 }", "keep_alive_timeout", "must be at least 1s"],
    ["connections: { max: 0 }", "max", "must be at least 1"],
    ["connections: { keep_alive: 5s }", "keep_alive", ""],
    ["connections: { headers_timeout: soon }", "headers_timeout", "soon"],
  ])("%s is refused", (text, field, message) => {
    const problems = problemsOf(API(text));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`triggers.api.connections.${field}`);
    expect(problems[0]).toContain(message);
  });

  it("a body_timeout that is none is the only problem told", () => {
    expect(problemsOf(API("body_timeout: soon"))).toHaveLength(1);
  });
});
