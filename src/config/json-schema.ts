import { z } from "zod";
import { configFile } from "./schema/config.js";

type Json = { readonly [key: string]: unknown };

/** A variable may stand where a number, a boolean or one of a few words is wanted. */
const VARIABLE = { type: "string", pattern: "\\$\\{" };
const LAYER = "In";

/** The schema as it is checked: no variables, no layers. */
export function checkedSchema(): Json {
  return z.toJSONSchema(configFile, { io: "input", unrepresentable: "any" }) as Json;
}

/**
 * The JSON Schema (draft 2020-12) of `schedule_config.yaml`, which editors complete and check with: variables may stand anywhere, and in `environments` everything may be left out, or be `null` to take away what is below.
 *
 * @see https://json-schema.org/draft/2020-12
 */
export function configSchema(): Record<string, unknown> {
  const { $defs, properties, ...rest } = checkedSchema() as { $defs: Record<string, Json>; properties: Record<string, Json> };
  const { environments, ...own } = properties;
  const each = (environments?.additionalProperties ?? {}) as Json;
  const named = Object.entries($defs);
  return {
    title: "headgate schedule_config.yaml",
    ...rest,
    properties: {
      ...(mapped({ properties: own }, variable).properties as object),
      environments: { ...environments, additionalProperties: layer(variable(each)) },
    },
    $defs: Object.fromEntries([
      ...named.map(([name, schema]) => [name, variable(schema)]),
      ...named.map(([name, schema]) => [`${LAYER}${name}`, layer(variable(schema))]),
    ]),
  };
}

/** Takes a schema and gives it with variables where only numbers, booleans or words of a list were. */
function variable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(variable);
  if (typeof schema !== "object" || schema === null) return schema;
  const { type, enum: words, description } = schema as Json;
  if (type === "number" || type === "integer" || type === "boolean" || Array.isArray(words))
    return { ...(description === undefined ? {} : { description }), anyOf: [schema, VARIABLE] };
  return mapped(schema as Json, variable);
}

/** A schema of what lies over something: nothing is needed, everything may be taken away. */
function layer(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(layer);
  if (typeof schema !== "object" || schema === null) return schema;
  const { required: _, properties, ...rest } = schema as Json;
  const inner = mapped(rest, layer);
  const $ref = typeof rest.$ref === "string" ? { $ref: rest.$ref.replace("#/$defs/", `#/$defs/${LAYER}`) } : {};
  const additional = isSchema(rest.additionalProperties) ? { additionalProperties: orNull(layer(rest.additionalProperties)) } : {};
  const parts =
    properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties as Json).map(([name, one]) => [name, orNull(layer(one))])) };
  return { ...inner, ...$ref, ...additional, ...parts };
}

function orNull(schema: unknown): Json {
  const { description } = schema as Json;
  return { ...(description === undefined ? {} : { description }), anyOf: [schema, { type: "null" }] };
}

function isSchema(value: unknown): value is Json {
  return typeof value === "object" && value !== null;
}

/** The parts of a schema that are schemas themselves; words and values are left as they are. */
function mapped(schema: Json, change: (part: unknown) => unknown): Json {
  const parts = ["items", "anyOf", "allOf", "additionalProperties", "properties"];
  return Object.fromEntries(
    Object.entries(schema).map(([name, part]) => {
      if (name === "properties") return [name, Object.fromEntries(Object.entries(part as Json).map(([key, one]) => [key, change(one)]))];
      return [name, parts.includes(name) ? change(part) : part];
    }),
  );
}
