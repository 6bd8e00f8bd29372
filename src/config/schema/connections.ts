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
        "sql (`postgres://user:password@host/database` or `sqlite:path`) and http; best a variable, or `file:` and a path. Never shown to anyone",
      ),
    query: text.optional().describe("sql only: the query, which must return a true value. Default `SELECT 1`"),
    queries: z.record(name, text).optional().describe("sql only: further queries, by the name used in `query_name`"),
    headers: texts.optional().describe("http only"),
    status: z.int().optional().describe("http only. Default: any 2xx"),
    path: text.optional().describe("file only: the file must exist"),
    allow_private_networks: privateNetworks.optional(),
  })
  .superRefine((one, context) => {
    const { needed, others } = FIELDS[one.type];
    for (const key of needed) if (!Object.hasOwn(one, key)) context.addIssue(`type ${one.type} requires ${key}`);
    for (const key of Object.keys(one))
      if (![...needed, ...others, "type"].includes(key)) context.addIssue(`type ${one.type} has no ${key}`);
  })
  .meta({ id: "Connection" });

export type ConnectionConfig = z.output<typeof connection>;
