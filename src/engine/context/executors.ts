import type { Pipeline } from "../../pipeline/pipeline.js";
import type { Executor } from "../../ports/executor.js";

/** Executors of one scheduler: the default one, those with a name, and those that pipelines bring themselves. */
export class Executors {
  /** Of pipelines that name none. */
  readonly standard: Executor;
  readonly #named: ReadonlyMap<string, Executor>;

  constructor(standard: Executor, named: ReadonlyMap<string, Executor>) {
    this.standard = standard;
    this.#named = named;
  }

  /** Names that pipelines may give. */
  get names(): readonly string[] {
    return [...this.#named.keys()];
  }

  /** Returns the executor that runs a pipeline. */
  of({ executor }: Pipeline): Executor {
    if (executor === null) return this.standard;
    return typeof executor === "string" ? (this.#named.get(executor) ?? this.standard) : executor;
  }

  /** Releases what executors hold, each once. */
  async close(pipelines: Iterable<Pipeline>, report: (error: unknown, where: string) => void): Promise<void> {
    const brought = [...pipelines].flatMap(({ executor }) => (typeof executor === "object" && executor !== null ? [executor] : []));
    for (const one of new Set([this.standard, ...this.#named.values(), ...brought]))
      await one.close?.().catch((error: unknown) => report(error, "closing an executor"));
  }
}

/** Returns the values that executors hold and that must not be stored or shown. */
export function secretsOf(executors: Iterable<Executor | string | null>): readonly string[] {
  return [...executors].flatMap((one) => (typeof one === "object" && one !== null ? (one.secrets ?? []) : []));
}
