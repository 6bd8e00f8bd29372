/** An external system that must answer before a pipeline runs. */
export type ExternalDependency = {
  /** What findings call it. Default: its address. */
  readonly name?: string;
  /** How long it may take, ms. Default 5,000. */
  readonly timeoutMs?: number;
} & (
  | {
      readonly type: "http";
      readonly url: string;
      /** The status it must answer with. Default: any 2xx. */
      readonly status?: number;
    }
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | { readonly type: "file"; readonly path: string }
  /** A database: `postgres://…` or `sqlite:path`, and what it must answer with something that is true. Default `SELECT 1`. */
  | { readonly type: "sql"; readonly url: string; readonly query?: string }
);
