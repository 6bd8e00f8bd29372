import { randomFrom } from "../../src/testing/random.js";

/** Seeded choices: the same seed makes the same requests. */
export class Generator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** Returns an integer from 0 to `below` - 1. */
  int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T;
  }

  /** Returns a list of up to `most` items. */
  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.int(most + 1) }, make);
  }

  /** Returns random characters of a kind that parsers stumble over. */
  text(most = 40): string {
    const alphabets = [
      "abcdefghijklmnop",
      "0123456789",
      " \t\r\n",
      "\u0000\u0001\u007f\u0080",
      "../%2e%00\\",
      "{}[]\":,'`$;&|<>",
      "äß€漢字🚀\u202e\ufeff\u2028",
      "\ud800\udfff",
      "_-.~+@!*()",
    ];
    const alphabet = this.chance(0.3) ? alphabets.join("") : this.pick(alphabets);
    return this.some(most, () => alphabet[this.int(alphabet.length)] ?? "").join("");
  }

  letters(length: number): string {
    return Array.from({ length }, () => "abcdefghijklmnopqrstuvwxyz0123456789"[this.int(36)]).join("");
  }

  bytes(most: number): Uint8Array {
    return Uint8Array.from(this.some(most, () => this.int(256)));
  }
}

/** Texts that have broken something somewhere. */
export const NASTY: readonly string[] = [
  "",
  " ",
  "null",
  "undefined",
  "NaN",
  "true",
  "-1",
  "0",
  "1e400",
  "9007199254740993",
  "0x10",
  "١٢",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "..",
  "../../etc/passwd",
  "%00",
  "\u0000",
  "\ud800",
  "\udfff",
  "%ff%fe",
  "'; DROP TABLE triggers; --",
  "$1",
  "$(id)",
  "`id`",
  "{{7*7}}",
  "<script>",
  "\r\nSet-Cookie: a=b",
  "a".repeat(300),
  "🚀".repeat(100),
  "é".repeat(129),
  "\u202e\ufeff",
  "2026-02-30T00:00:00Z",
  "2026-01-01T00:00:00Z",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59.999Z",
  "+275760-09-13T00:00:00Z",
  "2026-01-01T00:00:00+23:59",
  "P1Y",
  "1d",
  "999999999999d",
  "02:00",
  "24:00",
  "Europe/Berlin",
  "Mars/Olympus",
  "pending",
  "run",
  "manual,webhook",
  "alpha",
  "beta",
];

type Json = unknown;

/** Returns any JSON value, deep, wide or strange. */
export function anyJson(generator: Generator, depth = 4): Json {
  const kind = generator.int(depth <= 0 ? 5 : 8);
  if (kind === 0) return generator.pick([null, true, false]);
  if (kind === 1) return generator.pick([0, -0, -1, 1, 0.1, 1e21, -1e308, 2 ** 53, 2 ** 31, 5e-324, generator.int(1_000)]);
  if (kind === 2 || kind === 3) return generator.pick(NASTY);
  if (kind === 4) return generator.text();
  if (kind === 5) return generator.some(5, () => anyJson(generator, depth - 1));
  const names = [
    "pipeline",
    "dag_id",
    "parameters",
    "reason",
    "user",
    "source",
    "event",
    "data",
    "from",
    "to",
    "role",
    "pipelines",
    "all",
    "force",
    "priority",
    "not_before",
    "limit",
  ];
  return Object.fromEntries(
    generator.some(5, () => [generator.chance(0.5) ? generator.pick(names) : generator.text(10), anyJson(generator, depth - 1)]),
  );
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly format?: string;
  readonly pattern?: string;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query: readonly { readonly name: string; readonly schema: Schema }[];
  readonly body: Schema | null;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
            readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
          }
        >
      >
    >
  >;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

/** Makes values that an OpenAPI document says are right, at the edges of what it allows. */
export class Extremes {
  readonly #generator: Generator;
  readonly #document: Document;
  readonly operations: readonly Operation[];

  constructor(generator: Generator, document: Readonly<Record<string, unknown>>) {
    this.#generator = generator;
    this.#document = document as Readonly<Record<string, unknown>> & Document;
    this.operations = Object.entries(this.#document.paths).flatMap(([path, ways]) =>
      Object.entries(ways).map(([method, { parameters = [], requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        query: parameters.filter((one) => one.in === "query"),
        body: Object.values(requestBody?.content ?? {})[0]?.schema ?? null,
      })),
    );
  }

  value(schema: Schema, depth = 6): unknown {
    const generator = this.#generator;
    if (schema.$ref !== undefined)
      return this.value(this.#document.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""] ?? {}, depth);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return generator.pick(schema.enum);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices !== undefined) return this.value(generator.pick(choices), depth);
    if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map((one) => this.value(one, depth)));
    const type = Array.isArray(schema.type) ? generator.pick(schema.type as readonly string[]) : schema.type;
    if (type === "null") return null;
    if (type === "boolean") return generator.chance(0.5);
    if (type === "integer" || type === "number") return this.#number(schema, type === "integer");
    if (type === "string") return this.#string(schema);
    if (type === "array") return this.#array(schema, depth);
    if (type === "object") return this.#object(schema, depth);
    return anyJson(generator, Math.min(depth, 3));
  }

  #number({ minimum, exclusiveMinimum, maximum }: Schema, isInteger: boolean): number {
    const low = minimum ?? (exclusiveMinimum === undefined ? -(2 ** 31) : exclusiveMinimum + (isInteger ? 1 : 1e-9));
    const high = maximum ?? 2 ** 31;
    return this.#generator.pick([
      low,
      high,
      isInteger ? Math.trunc(low / 2 + high / 2) : low + (high - low) * 0.123456789,
      Math.min(high, Math.max(low, 1)),
    ]);
  }

  #string({ minLength = 0, maxLength = 200, format, pattern }: Schema): string {
    const generator = this.#generator;
    if (format === "date-time" || pattern?.includes("T(?:") === true)
      return generator.pick([
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2026-03-02T00:00:00Z",
        "2026-03-29T02:30:00+01:00",
        "2026-03-05T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2024-02-29T23:59:59-23:59",
      ]);
    if (format === "uri")
      return generator.pick([
        "http://127.0.0.1:1/",
        "http://[::1]:1/x?y=z",
        "http://169.254.169.254/latest",
        "http://0x7f.1/",
        "http://10.0.0.1/",
      ]);
    if (pattern?.includes("postgres") === true)
      return generator.pick(["postgres://127.0.0.1:1/x", "sqlite:/nowhere/x.db", "postgres://10.0.0.1/x"]);
    if (pattern?.includes("[01]") === true) return generator.pick(["00:00", "23:59", "02:30"]);
    if (pattern?.includes("\\d") === true) return generator.pick(["0", "1", "999999999999999"]);
    const name = generator.pick(["alpha", "beta", "anybody", "01KJNXNXS0G000000080000001"]);
    if (generator.chance(0.5) && name.length >= minLength && name.length <= maxLength) return name;
    const unit = generator.pick(["x", "é", "漢", "🚀", "\u202e", " ", "'", "%", "\\", '"']);
    const length = generator.pick([minLength, maxLength, Math.max(minLength, 1)]);
    return unit.repeat(Math.max(minLength, Math.floor(length / unit.length)));
  }

  #array({ items = {}, minItems = 0, maxItems = 3 }: Schema, depth: number): unknown[] {
    const length = this.#generator.pick([minItems, Math.max(minItems, 1), this.#generator.chance(0.05) ? maxItems : Math.max(minItems, 2)]);
    return Array.from({ length }, () => this.value(items, depth - 1));
  }

  #object({ properties = {}, required = [], additionalProperties }: Schema, depth: number): Record<string, unknown> {
    const generator = this.#generator;
    const made: [string, unknown][] = [];
    for (const [name, schema] of Object.entries(properties))
      if (required.includes(name) || generator.chance(depth > 3 ? 0.5 : 0.2)) made.push([name, this.value(schema, depth - 1)]);
    if (additionalProperties !== undefined && additionalProperties !== false)
      made.push(
        ...generator.some(4, (): [string, unknown] => [
          generator.pick(["a", "é", "x".repeat(100), "", " ", "0", "toString"]),
          additionalProperties === true ? anyJson(generator, 3) : this.value(additionalProperties, Math.min(depth - 1, 3)),
        ]),
      );
    return Object.fromEntries(made);
  }
}
