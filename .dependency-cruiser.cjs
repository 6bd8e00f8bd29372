/** Who may import whom: the layout of docs/architecture.md. What pure folders may use of the platform is checked by build/pure.ts. */
const PURE = ["schedule", "trigger", "gate", "run", "adaptive", "monitor", "pattern", "pipeline"];

/** Pure folders import only themselves and what stands before them in the flow; a pipeline names its executor and its dependencies by the types of their ports. */
const flow = PURE.map((folder, index) => ({
  name: `${folder}-imports-only-what-stands-before-it`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: {
    path: "^src/",
    pathNot: `^src/(base|${PURE.slice(0, index + 1).join("|")}${folder === "pipeline" ? "|ports/(executor|dependency).ts$" : ""})`,
  },
}));

/** Rooms of the engine, each with the rooms that it may import beside `context`. */
const ROOMS = {
  context: [],
  access: [],
  firing: [],
  feed: [],
  running: [],
  gating: ["running"],
  monitoring: ["access"],
  pipelines: ["access", "intake", "monitoring"],
  intake: ["access", "running"],
  reading: ["gating", "intake", "monitoring", "pipelines", "running"],
};

const rooms = Object.entries(ROOMS).map(([room, others]) => ({
  name: `engine-${room}-imports-only-its-neighbours`,
  severity: "error",
  from: { path: `^src/engine/${room}/` },
  to: { path: "^src/engine/", pathNot: `^src/engine/(${["context", room, ...others].join("|")})/` },
}));

module.exports = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    { name: "base-imports-nothing-of-ours", severity: "error", from: { path: "^src/base/" }, to: { path: "^src/", pathNot: "^src/base/" } },
    ...flow,
    ...rooms,
    {
      name: "only-types-of-ports-in-pure-folders",
      severity: "error",
      from: { path: `^src/(${PURE.join("|")})/` },
      to: { path: "^src/ports/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "pure-folders-do-no-io",
      severity: "error",
      from: { path: `^src/(base|${PURE.join("|")})/` },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "pure-folders-reach-no-module-of-node",
      severity: "error",
      from: { path: `^src/(${PURE.join("|")})/` },
      to: { path: "^src/base/(lazy-module|turn-budget).ts$" },
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
      name: "only-composition-roots-see-both-sides",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(entry|config|service|cli|testing|engine)/|^src/index.ts$" },
      to: { path: "^src/(engine|entry)/" },
    },
    {
      name: "an-adapter-knows-ports-and-pure-folders-only",
      severity: "error",
      from: { path: "^src/adapters/" },
      to: { path: "^src/(engine|testing|config|service|cli|entry|index)", pathNot: "^src/index.ts$" },
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
      to: { path: "^src/adapters/", pathNot: "^src/adapters/($1/($2|sql/)|shared/)" },
    },
    {
      name: "a-folder-of-adapters-knows-no-other",
      severity: "error",
      from: { path: "^src/adapters/([^/]+)/", pathNot: "^src/adapters/(stores|executors)/" },
      to: { path: "^src/adapters/", pathNot: "^src/adapters/($1|shared)/" },
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
