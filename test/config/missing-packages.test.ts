import { expect, it } from "vitest";
import { loadConfig } from "../../src/config/index.js";
import { missingPackageLine, missingPackages } from "../../src/config/missing-packages.js";

const FILE = `
pipelines:
  arrivals: { pattern: data_arrival, executor: { command: { command: "true" } } }
  files: { sensors: [{ file: { path: incoming, pattern: "*.csv" } }], executor: { command: { command: "true" } } }
  rows:
    executor: { command: { command: "true" } }
    sensors: [{ sql: { url: "postgres://reader@db.example/shop", query: "SELECT 1 AS id" } }]
triggers: { api: {}, files: { directory: drop } }
monitoring:
  metrics: true
  channels: { mail: { email: { server: "smtp://mail.example", from: a@example.com, to: b@example.com } }, log: { console: {} } }
`;

it("packages that parts of a file need and that are not installed are found, with the part", () => {
  const { plain, scheduler, missingPackages: here } = loadConfig("x.yaml", { text: FILE, env: {} });
  expect(here).toEqual([]); // all are installed for the tests
  const found = missingPackages(plain, scheduler.pipelines, () => false);
  expect(found.map(missingPackageLine)).toEqual([
    "pipelines.arrivals.pattern needs the package tinyglobby, which is not installed: npm install tinyglobby",
    "pipelines.files.sensors[0].file needs the package tinyglobby, which is not installed: npm install tinyglobby",
    "pipelines.rows.sensors[0].sql.url needs the package pg, which is not installed: npm install pg",
    "triggers.files needs the package chokidar, which is not installed: npm install chokidar",
    "monitoring.metrics needs the package prom-client, which is not installed: npm install prom-client",
    "monitoring.channels.mail.email needs the package nodemailer, which is not installed: npm install nodemailer",
  ]);
  expect(missingPackages(plain, scheduler.pipelines, (name) => name !== "pg").map(({ package: name }) => name)).toEqual(["pg"]);
});
