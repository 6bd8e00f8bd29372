import { z } from "zod";
import { name, privateNetworks, text, texts } from "./primitives.js";

const FIELDS = {
  sql: { needed: ["url"], others: ["query", "queries", "allow_private_networks"] },
  http: { needed: ["url"], others: ["headers", "status", "allow_private_networks"] },
  file: { needed: ["path"], others: [] },
};

/** An external system that dependencies refer to by its name. */
export const connection = z
  .strictObject({
    type: z.enum(["sql", "http", "file"]),
    url: text
      .optional()
      .describe(
        "Of sql, `postgres://user:password@host/database` or `sqlite:path`, and of http; best a variable, or `file:` and a path. Nobody is shown it",
      ),
    query: text.optional().describe("Of sql: what must be answered with something true. Default `SELECT 1`"),
    queries: z.record(name, text).optional().describe("Of sql: more of them, by the names that `query_name` may be"),
    headers: texts.optional().describe("Of http"),
    status: z.int().optional().describe("Of http. Default: any 2xx"),
    path: text.optional().describe("Of file: it must be there"),
    allow_private_networks: privateNetworks.optional(),
  })
  .superRefine((one, context) => {
    const { needed, others } = FIELDS[one.type];
    for (const key of needed) if (!Object.hasOwn(one, key)) context.addIssue(`type ${one.type} needs ${key}`);
    for (const key of Object.keys(one))
      if (![...needed, ...others, "type"].includes(key)) context.addIssue(`${key} does not go with type ${one.type}`);
  })
  .meta({ id: "Connection" });

export type ConnectionConfig = z.output<typeof connection>;
