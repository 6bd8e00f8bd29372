import { HeadgateError } from "../base/errors.js";
import type { OptionNames, RefuseOption } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { Pipeline } from "./pipeline.js";
import type { PipelineSelection } from "./request-options.js";

export const SELECTION_OPTIONS: OptionNames<PipelineSelection> = { pipelineId: true, pipelineIds: true, tag: true, owner: true };
const NAMES = Object.keys(SELECTION_OPTIONS) as readonly (keyof PipelineSelection)[];

const WORDS = { pipelineId: "a pipeline's id", tag: "a tag", owner: "the name of an owner" } as const;

/** Part of a pipeline by which it is selected. */
export type Selectable = Pick<Pipeline, "id" | "tags" | "owner">;

/** Returns the selection among other options, without what is not given. */
export function selectionOf({ pipelineId, pipelineIds, tag, owner }: PipelineSelection): PipelineSelection {
  const given = Object.entries({ pipelineId, pipelineIds, tag, owner }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as PipelineSelection;
}

/**
 * Returns the ids of the pipelines that are selected, each once; `null` when nothing is said, which stands for everything. Whatever does not say clearly which are meant is refused.
 *
 * @param all - the pipelines that a tag or an owner may select
 * @throws HeadgateError `UNKNOWN_PIPELINE` when a tag or an owner selects none, and what `refuse` makes
 */
export function selectedPipelines(
  selection: PipelineSelection,
  all: () => readonly Selectable[],
  refuse: RefuseOption,
): readonly string[] | null {
  const found = chosenPipelines(selection, all, refuse);
  if (found === null || found.length > 0) return found;
  const [name = "tag", value] = Object.entries(selection).find(([one]) => one === "tag" || one === "owner") ?? [];
  throw new HeadgateError("UNKNOWN_PIPELINE", `no pipeline has the ${name} ${shown(value)}`, { details: { [name]: value } });
}

/** The same, but for a tag or an owner that no pipeline has: then there are none. */
export function chosenPipelines(
  selection: PipelineSelection,
  all: () => readonly Selectable[],
  refuse: RefuseOption,
): readonly string[] | null {
  const given = NAMES.filter((name) => Object.hasOwn(selection, name));
  const [name, other] = given;
  if (name === undefined) return null;
  if (other !== undefined) throw refuse(other, `cannot be combined with \`${name}\``);
  const value: unknown = selection[name];
  if (name === "pipelineIds") return checkedIds(value, refuse);
  if (typeof value !== "string" || (value === "" && name !== "pipelineId"))
    throw refuse(name, `must be ${WORDS[name]}; leave it out for the whole scheduler (got ${shown(value)})`);
  if (name === "pipelineId") return [value];
  return all().flatMap(({ id, tags, owner }) => ((name === "tag" ? tags.includes(value) : owner === value) ? [id] : []));
}

function checkedIds(value: unknown, refuse: RefuseOption): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || !value.every((one) => typeof one === "string" && one !== ""))
    throw refuse("pipelineIds", `must be an array of one or more pipelines' ids (got ${shown(value)})`);
  return [...new Set(value as readonly string[])];
}
