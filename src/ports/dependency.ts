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
);
