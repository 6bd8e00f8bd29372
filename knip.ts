import type { KnipConfig } from "knip";
import { command, entries } from "./build/entries.js";

const config: KnipConfig = {
  entry: [
    ...[...Object.values(entries), command].map((file) => `${file}!`),
    "test/**/*.test.ts",
    "test/support/runner.ts",
    "examples/**/*.ts",
    "bench/**/*.ts",
    "docs/images/*.ts",
    "docs/reference/*.ts",
  ],
  project: ["src/**/*.ts!", "test/**/*.ts", "examples/**/*.ts", "bench/**/*.ts", "docs/images/*.ts", "docs/reference/*.ts", "build/*.ts"],
  // with a package.json of its own
  ignore: ["bench/peers/external/**"],
  ignoreDependencies: [
    "date-holidays",
    "vega-datasets",
    "publint",
    "@arethetypeswrong/cli",
    "@types/smtp-server",
    "jest",
    "ts-jest",
    "pnpm",
    "@yarnpkg/cli-dist",
    "headgate-build-sqlite",
  ],
  ignoreBinaries: ["mount", "umount", "mkfifo", "promtool", "systemd-analyze", "openssl", "pgbouncer"],
};
export default config;
