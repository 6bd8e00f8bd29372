import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { HeadgateError } from "../../base/errors.js";
import type { TriggerOptions } from "../../index.js";
import { PRIORITIES } from "../../trigger/trigger.js";
import { jsonProblemOf } from "../shared/json-syntax.js";
import { DEEPEST, escaped, isTooDeep, mischiefIn } from "../shared/safe-json.js";

const text = (limit: number) => z.string().min(1).max(limit);
const content = z.strictObject({
  pipeline: text(128).optional(),
  dag_id: text(128).optional(),
  trigger_type: text(200).optional(),
  source: text(195).optional(),
  priority: z.enum(PRIORITIES).optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  created_at: z.iso.datetime({ offset: true, local: true }).optional(),
});
const FIELDS = Object.keys(content.shape);

/** Request in a trigger file. */
export interface FileRequest {
  readonly pipeline: string | null;
  readonly options: TriggerOptions;
}

/** Error that explains why a file's content is rejected. */
export class BadFile extends HeadgateError {
  /** It may still be written. */
  readonly isUnfinished: boolean;

  constructor(
    problem: string,
    { isUnfinished = false, details = {} }: { isUnfinished?: boolean; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super("BAD_TRIGGER_FILE", problem, { details });
    this.isUnfinished = isUnfinished;
  }
}

/**
 * Returns the request in a trigger file.
 *
 * @throws BadFile
 */
export function requestIn(bytes: Buffer, name: string): FileRequest {
  if (bytes.length === 0) throw new BadFile("the file is empty; it must contain JSON", { isUnfinished: true });
  if (!isUtf8(bytes)) throw new BadFile("the file is not UTF-8 text", { isUnfinished: true });
  const written = bytes.toString("utf8").replace(/^\uFEFF/, "");
  if (isTooDeep(written)) throw new BadFile(`the file is nested deeper than ${DEEPEST} levels`);
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    throw new BadFile(`the file is not JSON: ${jsonProblemOf(written)}`, { isUnfinished: true });
  }
  const mischief = mischiefIn(value);
  if (mischief.length > 0) throw problemsOf(mischief);
  const { success, data, error } = content.safeParse(value);
  if (!success) throw problemsOf(error.issues.flatMap(problemOf));
  const { pipeline, dag_id, trigger_type, source, priority, parameters, created_at } = data;
  if (pipeline !== undefined && dag_id !== undefined && pipeline !== dag_id)
    throw new BadFile("pipeline and dag_id name different pipelines; provide only one of them");
  const what = trigger_type === undefined ? "trigger file" : `${trigger_type}: trigger file`;
  return {
    pipeline: pipeline ?? dag_id ?? null,
    options: {
      kind: "file",
      reason: `${what} ${name}${created_at === undefined ? "" : `, created ${created_at}`}`.slice(0, 1_000),
      user: source === undefined ? "file" : `file:${source}`,
      ...(priority === undefined ? {} : { priority }),
      ...(parameters === undefined ? {} : { parameters }),
    },
  };
}

interface Told {
  readonly pointer: string;
  readonly detail: string;
}

function problemOf(issue: z.core.$ZodIssue): Told[] {
  const pointer = issue.path.map((part) => `/${escaped(String(part))}`).join("");
  if (issue.code !== "unrecognized_keys") return [{ pointer, detail: issue.message }];
  return issue.keys.map((key) => ({
    pointer: `/${escaped(key)}`,
    detail: `unknown field; allowed: ${FIELDS.join(", ")}`,
  }));
}

function problemsOf(errors: readonly Told[]): BadFile {
  const texts = errors.slice(0, 3).map(({ pointer, detail }) => `${pointer === "" ? "the file" : pointer.slice(0, 100)}: ${detail}`);
  return new BadFile(texts.join("; "), { details: { errors: errors.slice(0, 20) } });
}
