import { z } from "zod";
import type { Route } from "./route.js";
import { problem } from "./schemas.js";

type Json = Record<string, unknown>;

const ROLES: Readonly<Record<string, string>> = {
  public: "No token required.",
  signed: "Requires a signature of the source, or the role operator.",
  viewer: "Requires the role viewer.",
  operator: "Requires the role operator.",
  admin: "Requires the role admin.",
};

/** Makes the document of the routes, from the schemas by which requests are checked. @see https://spec.openapis.org/oas/v3.1.1.html */
export function openApiOf(routes: readonly Route[], version: string): Json {
  const components = new Components();
  const paths: Record<string, Json> = {};
  for (const one of routes) paths[one.path] = { ...paths[one.path], [one.method.toLowerCase()]: operationOf(one, components) };
  return {
    openapi: "3.1.1",
    info: {
      title: "headgate",
      version,
      description: "Triggers pipelines, and explains why they did or did not run.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths,
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } }, schemas: components.all() },
  };
}

function operationOf(one: Route, components: Components): Json {
  const parameters: Json[] = [...one.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  for (const [name, schema] of Object.entries(one.query?.shape ?? {}))
    parameters.push({ name, in: "query", required: false, schema: components.inline(schema as z.ZodType, "input") });
  if (one.once !== undefined)
    parameters.push({ name: "Idempotency-Key", in: "header", required: false, schema: { type: "string", maxLength: 128 } });
  if (one.id === "putScheduleConfig") parameters.push({ name: "If-Match", in: "header", required: false, schema: { type: "string" } });
  const answers = Object.entries(one.answers).map(([status, { description, schema, type = "application/json" }]) => [
    status,
    { description, content: { [type]: schema === undefined ? {} : { schema: components.ref(schema, "output") } } },
  ]);
  const body = one.isRaw ? { schema: {} } : one.body === undefined ? null : { schema: components.ref(one.body, "input") };
  return {
    operationId: one.id,
    summary: one.summary,
    description: ROLES[one.role],
    tags: [one.tag],
    ...(one.role === "public" ? { security: [] } : one.role === "signed" ? { security: [{ token: [] }, {}] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === null ? {} : { requestBody: { required: one.isBodyOptional !== true, content: { "application/json": body } } }),
    responses: {
      ...Object.fromEntries(answers),
      default: { description: "The error.", content: { "application/problem+json": { schema: components.ref(problem, "output") } } },
    },
  };
}

/** The schemas that have a name, once each. */
class Components {
  readonly #schemas: Record<string, Json> = {};

  all(): Json {
    return this.#schemas;
  }

  ref(schema: z.ZodType, io: "input" | "output"): Json {
    const { id } = (schema.meta() ?? {}) as { id?: string };
    if (id === undefined) return this.inline(schema, io);
    this.#schemas[id] ??= this.inline(schema, io, id);
    return { $ref: `#/components/schemas/${id}` };
  }

  /** Schemas with names of their own within it become references to components. */
  inline(schema: z.ZodType, io: "input" | "output", own?: string): Json {
    const made = z.toJSONSchema(schema, { io, target: "draft-2020-12", unrepresentable: "any" }) as Json;
    const { $schema: _, $defs = {}, id: __, ...rest } = made;
    const parts = $defs as Record<string, Json>;
    for (const [name, part] of Object.entries(parts)) if (name !== own) this.#schemas[name] ??= relinked(part) as Json;
    const itself = own === undefined ? undefined : parts[own];
    if (itself !== undefined) return relinked(itself) as Json;
    return relinked(rest) as Json;
  }
}

function relinked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relinked);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => {
      if (name === "$ref" && typeof one === "string") return [[name, one.replace("#/$defs/", "#/components/schemas/")]];
      return name === "id" && typeof one === "string" && "type" in value ? [] : [[name, relinked(one)]];
    }),
  );
}
