import { defineConfig } from "vitest/config";

/** The suites of what is pure, in seconds: `npm run test:unit`. They need neither a service nor a build. */
export default defineConfig({
  test: {
    include: ["test/{base,schedule,gate,run,monitor,pattern}/**/*.test.ts", "test/adaptive/tuners.test.ts"],
    env: { HEADGATE_TESTS: "unit" },
  },
});
