import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    runner: "test/support/runner.ts",
    globalSetup: ["test/support/services.ts"],
    maxWorkers: 2, // most of a file's time is waiting for processes and servers: one worker takes half an hour
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ["default", ["json", { outputFile: process.env.HEADGATE_TEST_REPORT ?? ".tmp/test-report.json" }]],
  },
});
