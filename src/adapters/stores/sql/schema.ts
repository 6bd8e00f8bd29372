import { additions } from "./additions.js";
import { IS_LONG, SPAN_CLASS } from "./open-spans.js";
import type { SchemaTypes } from "./schema-types.js";
import { ACTIVE, HIDDEN, UNSUCCESSFUL_RUN, UNSUCCESSFUL_TRIGGER, WAITING } from "./statuses.js";
import { TABLES } from "./tables.js";

/** For nodes of 0.1.0 that are still running: every round of theirs reads `config` and `pipelines` before it fires or claims anything. What they accept meanwhile is run by nodes of this version. */
const UPGRADED = "this database was upgraded by a newer version of headgate: stop this node, and start it again with that version";

/**
 * Statements of each version, from 1; run forward only, each version in a transaction of its own. A version that was released never changes; the next one is added below it, and begins with `added`: the tables and
 * columns that are new in it by their definitions (`tables.ts`).
 */
export function migrations(name: (table: string) => string, types: SchemaTypes): readonly (readonly string[])[] {
  const { text, int, real, bool, busy, pruned, refusing, each } = types;
  const added = (version: number) => TABLES.flatMap((table) => additions(table, version, name(table.name), types));
  const indexOn = (table: string, columns: string, rest = "", unique = "") =>
    `CREATE ${unique}INDEX ON_${table}_${columns.replaceAll(/[^a-z_]+/g, "_")} ON ${name(table)} (${columns}) ${rest}`;
  /** Splits what was one value under a key into a row for each element or member of a part of it. */
  const asRows = (key: string, path: string | null, of: "array" | "object", kind: string) => [
    `INSERT INTO ${name("documents")} (kind, id, value, version, updated_at, updated_by)
      SELECT '${kind}', ${of === "array" ? "e.value ->> 'id'" : "e.key"}, CAST(e.value AS text), 1, c.updated_at, c.updated_by
      FROM ${name("config")} c, ${each("c.value", path, of)} WHERE c.key = '${key}' AND c.value IS NOT NULL`,
  ];
  return [
    [
      `CREATE TABLE ${name("meta")} (key ${text} PRIMARY KEY, value ${text})`,
      `CREATE TABLE ${name("config")} (key ${text} PRIMARY KEY, value ${text}, version ${int} NOT NULL, updated_at ${int} NOT NULL, updated_by ${text})`,
      `CREATE TABLE ${name("cursors")} (name ${text} PRIMARY KEY, value ${text}, token ${int} NOT NULL, node ${text}, lease_until ${int}, updated_at ${int} NOT NULL)`,
      `CREATE TABLE ${name("audit")} (seq ${int} PRIMARY KEY, at ${int} NOT NULL, pipeline_id ${text}, record ${text} NOT NULL)`,
      `CREATE TABLE ${name("pipelines")} (
        id ${text} PRIMARY KEY, schedule_key ${text} NOT NULL, next_fire_at ${int}, last_fire_at ${int}, last_success_at ${int},
        pause ${text}, last_pause ${text}, max_active_runs ${int} NOT NULL, overlap ${text} NOT NULL, pool ${text})`,
      `CREATE TABLE ${name("triggers")} (
        id ${text} PRIMARY KEY, pipeline_id ${text} NOT NULL, kind ${text} NOT NULL, status ${text} NOT NULL, priority ${text} NOT NULL,
        "order" ${real} NOT NULL, scheduled_for ${int}, key ${text}, reason ${text}, "user" ${text}, parameters ${text}, created_at ${int} NOT NULL,
        available_at ${int} NOT NULL, expires_at ${int}, is_forced ${bool} NOT NULL, token ${int} NOT NULL, node ${text}, lease_until ${int},
        run_id ${text}, ended_at ${int}, end_reason ${text}, supersedes ${text}, superseded_by ${text}, unique_key ${text}) ${busy}`,
      `CREATE TABLE ${name("runs")} (
        id ${text} PRIMARY KEY, pipeline_id ${text} NOT NULL, trigger_id ${text} NOT NULL, status ${text} NOT NULL, scheduled_for ${int},
        attempt ${int} NOT NULL, token ${int} NOT NULL, node ${text} NOT NULL, lease_until ${int} NOT NULL, started_at ${int} NOT NULL,
        attempt_started_at ${int} NOT NULL, ended_at ${int}, retry_at ${int}, output ${text}, error ${text}, progress ${text}, cancel_request ${text},
        attempts ${text} NOT NULL, is_forced ${bool} NOT NULL) ${busy}`,
      `CREATE TABLE ${name("decisions")} (
        id ${text} PRIMARY KEY, pipeline_id ${text} NOT NULL, trigger_id ${text}, kind ${text} NOT NULL, scheduled_for ${int}, at ${int} NOT NULL,
        outcome ${text} NOT NULL, reason ${text} NOT NULL, findings ${text} NOT NULL, missed ${text})`,
      indexOn("triggers", "pipeline_id, unique_key", "WHERE unique_key IS NOT NULL", "UNIQUE "),
      indexOn("triggers", `"order", id`, "WHERE status IN ('pending', 'held')"),
      `CREATE INDEX on_triggers_forced ON ${name("triggers")} ("order", id) WHERE status IN ('pending', 'held') AND is_forced`,
      indexOn("triggers", "lease_until", "WHERE status IN ('pending', 'held') AND node IS NOT NULL"),
      indexOn("triggers", "available_at", "WHERE status IN ('pending', 'held') AND available_at > created_at"),
      indexOn("triggers", "expires_at", "WHERE status IN ('pending', 'held') AND expires_at IS NOT NULL"),
      indexOn("triggers", "pipeline_id, id"),
      indexOn("triggers", "ended_at", "WHERE ended_at IS NOT NULL"),
      indexOn("runs", "pipeline_id, started_at"),
      indexOn("runs", "status, lease_until", "WHERE status IN ('running', 'retrying')"),
      indexOn("runs", "retry_at", "WHERE status = 'retrying'"),
      indexOn("pipelines", "id", "WHERE pause IS NOT NULL"),
      indexOn("decisions", "pipeline_id, id"),
      indexOn("decisions", "trigger_id", "WHERE trigger_id IS NOT NULL"),
      indexOn("decisions", "at", "WHERE trigger_id IS NULL"),
    ],
    [`ALTER TABLE ${name("runs")} ADD COLUMN reference ${text}`],
    [
      `CREATE TABLE ${name("answers")} (key ${text} PRIMARY KEY, request ${text} NOT NULL, at ${int} NOT NULL, answer ${text})`,
      indexOn("answers", "at"),
    ],
    [
      `CREATE TABLE ${name("events")} (seq ${int} PRIMARY KEY, at ${int} NOT NULL, name ${text} NOT NULL, pipeline_id ${text}, data ${text} NOT NULL, size ${int} NOT NULL)`,
    ],
    [
      `ALTER TABLE ${name("pipelines")} RENAME TO pipeline_states`,
      ...added(5),
      `UPDATE ${name("triggers")} SET size = octet_length(parameters) WHERE status IN ('pending', 'held') AND parameters IS NOT NULL`,
      `INSERT INTO ${name("payloads")} (id, size, parameters)
        SELECT id, size, parameters FROM ${name("triggers")} WHERE status IN ('pending', 'held') AND size > 1000`,
      `UPDATE ${name("triggers")} SET payload_id = id, parameters = NULL WHERE status IN ('pending', 'held') AND size > 1000`,
      `CREATE INDEX on_triggers_backlog ON ${name("triggers")} (pipeline_id, priority, created_at, id, scheduled_for, size, status)
        WHERE status IN ('pending', 'held')`,
      `CREATE INDEX on_triggers_requested_by ON ${name("triggers")} (requested_by, size, status)
        WHERE status IN ('pending', 'held') AND requested_by IS NOT NULL`,
      indexOn("triggers", "payload_id", "WHERE payload_id IS NOT NULL"),
      `UPDATE ${name("triggers")} SET line = 'later' WHERE status IN ('pending', 'held') AND available_at > created_at`,
      `DROP INDEX ${name("on_triggers__order_id")}`,
      `DROP INDEX ${name("on_triggers_available_at")}`,
      `CREATE INDEX on_triggers_open ON ${name("triggers")} ("order", id) WHERE status IN ('pending', 'held') AND line IS NULL`,
      `CREATE INDEX on_triggers_parked ON ${name("triggers")} (line, "order", id) WHERE status IN ('pending', 'held') AND line <> 'later'`,
      `CREATE INDEX on_triggers_later ON ${name("triggers")} (available_at) WHERE status IN ('pending', 'held') AND line = 'later'`,
      `CREATE INDEX on_triggers_open_long ON ${name("triggers")} (pipeline_id, (${SPAN_CLASS}), created_at, id, ended_at) WHERE ${IS_LONG}`,
      `CREATE INDEX on_triggers_backfills ON ${name("triggers")} (pipeline_id, scheduled_for, id) WHERE kind = 'backfill'`,
      `CREATE INDEX on_decisions_drops ON ${name("decisions")} (pipeline_id, scheduled_for, id) WHERE trigger_id IS NULL`,
      indexOn("history", "kept, pipeline_id"),
      `DROP INDEX ${name("on_triggers_ended_at")}`,
      `DROP INDEX ${name("on_decisions_at")}`,
      `CREATE INDEX on_triggers_ended ON ${name("triggers")} (ended_at, id, pipeline_id) WHERE ended_at IS NOT NULL`,
      `CREATE INDEX on_triggers_ended_of ON ${name("triggers")} (pipeline_id, ended_at, id) WHERE ended_at IS NOT NULL`,
      `CREATE INDEX on_decisions_dropped ON ${name("decisions")} (at, id, pipeline_id) WHERE trigger_id IS NULL`,
      ...(pruned === null
        ? []
        : ["triggers", "runs", "decisions", "payloads", "answers", "events", "audit"].map(
            (table) => `ALTER TABLE ${name(table)} ${pruned}`,
          )),
      `CREATE INDEX on_triggers_waiting ON ${name("triggers")} (pipeline_id, id) WHERE ${WAITING}`,
      `CREATE INDEX on_triggers_unsuccessful ON ${name("triggers")} ((${HIDDEN.status}), id) WHERE ${UNSUCCESSFUL_TRIGGER}`,
      `CREATE INDEX on_triggers_unsuccessful_of ON ${name("triggers")} (status, pipeline_id, id) WHERE ${UNSUCCESSFUL_TRIGGER}`,
      `DROP INDEX ${name("on_runs_pipeline_id_started_at")}`,
      `CREATE INDEX on_runs_started ON ${name("runs")} ((${HIDDEN.pipelineId}), started_at)`,
      `CREATE INDEX on_runs_of ON ${name("runs")} (pipeline_id, id)`,
      `CREATE INDEX on_runs_active ON ${name("runs")} (pipeline_id, id) WHERE ${ACTIVE}`,
      `CREATE INDEX on_runs_unsuccessful ON ${name("runs")} ((${HIDDEN.status}), id) WHERE ${UNSUCCESSFUL_RUN}`,
      `CREATE INDEX on_runs_unsuccessful_of ON ${name("runs")} (status, pipeline_id, id) WHERE ${UNSUCCESSFUL_RUN}`,
      `DELETE FROM ${name("cursors")} WHERE name LIKE 'headgate: %'`,
      `INSERT INTO ${name("documents")} (kind, id, value, version, updated_at, updated_by)
        SELECT 'configuration', 'file', value, 1, updated_at, updated_by FROM ${name("config")} WHERE key = 'config-file' AND value IS NOT NULL`,
      ...asRows("tokens", null, "array", "token"),
      ...asRows("silences", null, "array", "silence"),
      ...asRows("nodes", null, "object", "node"),
      ...asRows("adaptive", null, "object", "interval"),
      ...asRows("settings", "pipelines", "object", "override"),
      ...asRows("settings", "windows", "array", "window"),
      ...asRows("alerts", "alerts", "array", "alert"),
      ...asRows("alerts", "deliveries", "array", "delivery"),
      `DROP TABLE ${name("config")}`,
      ...refusing(name("config"), { key: text, value: text, version: int, updated_at: int, updated_by: text }, UPGRADED),
      ...refusing(
        name("pipelines"),
        {
          id: text,
          schedule_key: text,
          next_fire_at: int,
          last_fire_at: int,
          last_success_at: int,
          pause: text,
          last_pause: text,
          max_active_runs: int,
          overlap: text,
          pool: text,
        },
        UPGRADED,
      ),
      `CREATE INDEX on_audit_of ON ${name("audit")} (pipeline_id, seq) WHERE pipeline_id IS NOT NULL`,
    ],
  ];
}
