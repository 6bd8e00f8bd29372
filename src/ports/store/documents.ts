/**
 * Documents: small JSON values that the engine keeps for its features, one row each, addressed by kind and id.
 *
 * | kind         | a document is                                    | written by                          |
 * |--------------|--------------------------------------------------|-------------------------------------|
 * | `override`   | the changed settings of one pipeline             | `engine/pipelines/pipeline-overrides` |
 * | `window`     | one maintenance window                           | `engine/pipelines/pipeline-overrides` |
 * | `interval`   | the interval that one adaptive schedule has now  | `engine/pipelines/adaptive-intervals` |
 * | `token`      | one token, as a hash                             | `engine/access/tokens`              |
 * | `silence`    | one silence of alerts                            | `engine/monitoring/silences`        |
 * | `alert`      | one alert that is pending or fires               | `engine/monitoring/alert-state`     |
 * | `delivery`   | one notification that has not arrived            | `engine/monitoring/alert-state`     |
 * | `node`       | the last heartbeat of one node                   | `engine/monitoring/node-registry`   |
 * | `configuration` | the configuration file that was loaded last    | `engine/adapter-context`            |
 * | `collection` | the number of changes of one set of documents    | `engine/context/document-collection` |
 *
 * A store knows none of these kinds.
 *
 * ```
 *            put, version 0 or null          put, the version it has or null
 *  not there ──────────────────────► version 1 ──────────────────────────────► version 2 ──► …
 *      ▲                                 │                                         │
 *      └─────────────────────────────────┴──────────────── put null ───────────────┘
 * ```
 *
 * Invariants: a version counts the changes of one document since it was created, from 1; a write under a version that is not the stored one changes nothing at all, neither the other
 * documents of the call nor the audit log.
 */
import { int, json, type RecordOf, text } from "../../base/fields.js";
import type { AuditedWrite } from "./audit.js";

/** Fields of a document, each defined once. Instants are epoch ms. */
export const DOCUMENT_FIELDS = {
  /** Unique together with `id`. */
  kind: text(),
  id: text(),
  /** JSON, never `null`. */
  value: json<unknown>(),
  /** 1 when it was created, one more with every change. One that was deleted and created again begins at 1. */
  version: int(),
  /** Epoch ms. */
  updatedAt: int(),
  /** `null`: the scheduler, or a caller without a name. */
  updatedBy: text().nullable(),
};

/** A document as it is stored. */
export interface DocumentRecord extends RecordOf<typeof DOCUMENT_FIELDS> {}

/** One document to write. */
export interface DocumentWrite {
  readonly kind: string;
  readonly id: string;
  /** JSON; `null` deletes the document. */
  readonly value: unknown;
  /** The version that must be stored; 0: it must not be there; `null`: whatever is there. */
  readonly expected: number | null;
}

/** The documents of a store. */
export interface DocumentStore {
  /** Returns the documents of a kind with these ids, in the order of the ids; `null` for each that is not there. Reads these rows and no others. */
  documents(kind: string, ids: readonly string[]): Promise<readonly (DocumentRecord | null)[]>;
  /** Returns the documents of a kind in the order of their ids, those behind `after` (`null`: from the first), `limit` at most. */
  listDocuments(kind: string, query: { readonly after: string | null; readonly limit: number }): Promise<readonly DocumentRecord[]>;
  /**
   * Writes documents, all or none, in one transaction with the audit entry of the change, whose `before` is the list of the values that were there (`null` where none was). Returns what is stored now, in the order
   * of the writes (`null` for what was deleted); or `null`, with nothing written, when a version is not the expected one. No document may be named twice. Not idempotent, except where `expected` is `null`.
   */
  putDocuments(
    writes: readonly DocumentWrite[],
    by: string | null,
    now: number,
    noted?: AuditedWrite,
  ): Promise<readonly (DocumentRecord | null)[] | null>;
}
