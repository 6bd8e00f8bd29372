import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/** The attack suites in their full form: `npm run test:attack`. */
export default defineConfig({
  test: {
    ...base.test,
    include: ["test/attack/**/*.test.ts"],
    env: { HEADGATE_ATTACK: "full" },
    testTimeout: 480_000,
    // most of them wait for a process or a server: two at once even where there are two cores
    maxWorkers: 2,
    reporters: ["default", ["json", { outputFile: ".tmp/attack-report.json" }]],
  },
});
