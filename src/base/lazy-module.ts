type Later = "node:child_process" | "node:crypto" | "node:dns" | "node:dns/promises" | "node:module" | "node:net";

/** A module of Node's own, loaded when it is first needed: those for networks and hashes would take a tenth of the core's import. */
export function lazyModule<Name extends Later>(name: Name): ReturnType<typeof process.getBuiltinModule<Name>> {
  return process.getBuiltinModule(name);
}
