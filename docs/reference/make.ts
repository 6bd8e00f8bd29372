/**
 * Writes the reference of the configuration into docs/configuration.md, from the schema by which files are checked: `npm run docs:reference`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkedSchema } from "../../src/config/json-schema.js";

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly allOf?: readonly Schema[];
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const FILE = new URL("../configuration.md", import.meta.url);
const [BEGIN, END] = ["<!-- reference: made by npm run docs:reference -->", "<!-- end of the reference -->"];
/** Said once, and not a table of its own. */
const WORDS = ["Duration"];

const linked = (name: string) => `[${name}](#${name.toLowerCase()})`;
const nameOf = ({ $ref = "" }: Schema) => $ref.replace("#/$defs/", "");

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return WORDS.includes(nameOf(schema)) ? nameOf(schema).toLowerCase() : linked(nameOf(schema));
  if (schema.allOf !== undefined)
    return (
      schema.allOf
        .map(typeOf)
        .filter((one) => one !== "anything")
        .join(", ") || "anything"
    );
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${String(one)}\``).join(", ");
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === "object") {
    if (schema.properties !== undefined) return "map";
    return typeof schema.additionalProperties === "object" ? `map of ${typeOf(schema.additionalProperties)}` : "map";
  }
  const most = (schema.maximum ?? Number.MAX_SAFE_INTEGER) < Number.MAX_SAFE_INTEGER ? ` to ${schema.maximum}` : "";
  const least =
    schema.exclusiveMinimum !== undefined
      ? ` over ${schema.exclusiveMinimum}`
      : (schema.minimum ?? -1) >= 0
        ? ` from ${schema.minimum}`
        : "";
  const kinds: Readonly<Record<string, string>> = {
    string: "text",
    number: "number",
    integer: "integer",
    boolean: "`true`, `false`",
    null: "`null`",
  };
  const kind = kinds[schema.type ?? ""] ?? "anything";
  return kind === "number" || kind === "integer" ? `${kind}${least}${most}` : kind;
}

/** Rows of an object; objects within it that have no name are written out. Of several forms, only what all of them need is marked so. */
function rowsOf(schema: Schema, prefix = "", forms: readonly Schema[] = [schema]): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, one]) => {
    const isNeeded = forms.every(({ required = [] }) => required.includes(key));
    const usual = one.default === undefined || typeof one.default === "object" ? "" : ` Default \`${String(one.default)}\`.`;
    const told =
      `${one.description ?? ""}${one.description === undefined || /[.!?]$/.test(one.description) ? "" : "."}${usual}${isNeeded && usual === "" ? " **Required.**" : ""}`.trim();
    const row = [`\`${prefix}${key}\``, typeOf(one), told];
    const inner = [one, ...(one.anyOf ?? [])].filter(({ properties }) => properties !== undefined);
    return [row, ...inner.flatMap((part) => rowsOf(part, `${prefix}${key}.`, inner))];
  });
}

function table(rows: readonly (readonly string[])[]): string {
  const cells = [["key", "value", "what"], ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")));
  const widths = [0, 1, 2].map((column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

/** The reference as Markdown. */
export function reference(): string {
  const { $defs = {}, ...whole } = checkedSchema() as Schema;
  const { environments, ...own } = whole.properties ?? {};
  const top = rowsOf({ ...whole, properties: { ...own, environments: { type: "object", description: environments?.description ?? "" } } });
  const parts = Object.entries($defs)
    .filter(([name]) => !WORDS.includes(name))
    .sort(([one], [other]) => one.localeCompare(other));
  return [
    "### The file",
    "",
    table(top),
    "",
    `${$defs.Duration?.description ?? ""}.`,
    ...parts.flatMap(([name, schema]) => [
      "",
      `### ${name}`,
      "",
      ...(schema.description === undefined ? [] : [`${schema.description}.`, ""]),
      table(rowsOf(schema)),
    ]),
  ].join("\n");
}

export function withReference(text: string): string {
  const [before, rest] = [text.slice(0, text.indexOf(BEGIN)), text.slice(text.indexOf(END))];
  return `${before}${BEGIN}\n\n${reference()}\n\n${rest}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, withReference(readFileSync(FILE, "utf8")));
