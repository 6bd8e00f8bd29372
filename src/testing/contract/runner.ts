/** Functions of a test runner: those of vitest, jest and `node:test` will do. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

export function globalRunner(where: string): TestRunner {
  const { describe, it } = globalThis as Partial<TestRunner>;
  if (describe !== undefined && it !== undefined) return { describe, it };
  throw new Error(`${where}: pass your test runner's \`describe\` and \`it\``);
}
