/** A pipeline as others name it: by its id, with the types of its parameters and of its output. Every `Pipeline` is one. */
export interface PipelineRef<Id extends string = string, Parameters = unknown, Output = unknown> {
  readonly id: Id;
  /** Never there at run time: it carries the types. */
  readonly "~types"?: { readonly parameters: Parameters; readonly output: Output };
}

/** The ids of pipelines; other texts are allowed too, since pipelines can be added later. */
export type IdOf<P extends PipelineRef> = P["id"] | (string & Record<never, never>);

/** Parameters of the pipeline with an id; `unknown` when the types do not know it. */
export type ParametersOf<P extends PipelineRef, Id extends string> = TypesOf<P, Id>["parameters"];

/** Output of the pipeline with an id; `unknown` when the types do not know it. */
export type OutputOf<P extends PipelineRef, Id extends string> = TypesOf<P, Id>["output"];

type TypesOf<P extends PipelineRef, Id extends string> = [Known<P, Id>] extends [never]
  ? { readonly parameters: unknown; readonly output: unknown }
  : NonNullable<Known<P, Id>["~types"]>;

/** None for an id of which only the compiler does not know which it is. */
type Known<P extends PipelineRef, Id extends string> = string extends Id ? never : Extract<P, { readonly id: Id }>;

/** Pipelines that another one may follow. */
export type Upstream = string | PipelineRef;

/** Output of the pipelines that another one follows; `unknown` for those that are named by their ids. */
export type UpstreamOutput<U> = U extends readonly (infer One)[]
  ? UpstreamOutput<One>
  : U extends PipelineRef<string, unknown, infer Output>
    ? Output
    : unknown;
