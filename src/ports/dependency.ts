import type { Condition } from "../gate/condition.js";
import type { NamedConnections, RuntimeDependency } from "../gate/dependency.js";

/** The port that makes conditions of external systems that are set at run time. */
export interface DependencyFactory {
  /** Connections that code or the configuration file declares. Holds secrets: never shown. */
  readonly connections: NamedConnections;
  /** Returns why the address of a dependency may not be asked, and what to do; `null` when it may, or only its host's name is known. */
  addressProblem(dependency: RuntimeDependency): string | null;
  /** Never throws: a dependency that cannot be asked becomes a condition that blocks and says what to do. */
  conditionOf(dependency: RuntimeDependency): Condition;
}
