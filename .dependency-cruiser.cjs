/** Who may import whom: the layout of the architecture page. */
const PURE = ["schedule", "trigger", "gate", "run", "adaptive", "monitor", "pattern"];

/** Pure folders import only themselves and what stands before them in the flow. */
const flow = PURE.map((folder, index) => ({
  name: `${folder}-imports-only-what-stands-before-it`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: "^src/", pathNot: `^src/(base|${PURE.slice(0, index + 1).join("|")})/` },
}));

module.exports = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    { name: "base-imports-nothing-of-ours", severity: "error", from: { path: "^src/base/" }, to: { path: "^src/", pathNot: "^src/base/" } },
    ...flow,
    {
      name: "pure-folders-do-no-io",
      severity: "error",
      from: { path: `^src/(base|${PURE.join("|")})/` },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "pure-folders-use-small-value-libraries",
      severity: "error",
      from: { path: `^src/(base|${PURE.join("|")})/` },
      to: { dependencyTypes: ["npm"], pathNot: "node_modules/(luxon|cron-parser|zod)/" },
    },
    {
      name: "ports-know-only-pure-folders",
      severity: "error",
      from: { path: "^src/ports/" },
      to: { path: "^src/", pathNot: `^src/(ports|base|${PURE.join("|")})/` },
    },
    {
      name: "the-engine-knows-no-adapter",
      severity: "error",
      from: { path: "^src/engine/" },
      to: { path: "^src/", pathNot: `^src/(engine|ports|base|${PURE.join("|")})/` },
    },
    {
      name: "only-the-service-and-the-command-know-the-service",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(service|cli)/" },
      to: { path: "^src/(service|cli)/" },
    },
    {
      name: "only-the-service-and-the-command-know-the-configuration",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(config|service|cli)/" },
      to: { path: "^src/config/" },
    },
    {
      name: "an-adapter-knows-ports-and-pure-folders-only",
      severity: "error",
      from: { path: "^src/adapters/" },
      to: { path: "^src/(engine|testing|config|service|cli|index|create-scheduler)", pathNot: "^src/index.ts$" },
    },
    {
      name: "an-adapter-knows-the-core-by-its-public-types",
      severity: "error",
      from: { path: "^src/adapters/" },
      to: { path: "^src/index.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "an-adapter-knows-no-other-adapter",
      severity: "error",
      from: { path: "^src/adapters/(stores|executors)/([^/]+)" },
      to: { path: "^src/adapters/", pathNot: "^src/adapters/($1/($2|sql/)|outside/)" },
    },
    {
      name: "a-folder-of-adapters-knows-no-other",
      severity: "error",
      from: { path: "^src/adapters/([^/]+)/", pathNot: "^src/adapters/(stores|executors)/" },
      to: { path: "^src/adapters/", pathNot: "^src/adapters/($1|outside)/" },
    },
    { name: "nothing-unresolved", severity: "error", from: { path: "^src/" }, to: { couldNotResolve: true } },
    {
      name: "only-declared-dependencies",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"], dependencyTypesNot: ["npm-peer"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};
