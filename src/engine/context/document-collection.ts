import { HeadgateError } from "../../base/errors.js";
import type { AuditedWrite } from "../../ports/store/audit.js";
import type { DocumentRecord, DocumentWrite, Store } from "../../ports/store.js";
import type { Core } from "./core.js";

/** Kind of the documents that count the changes of collections, by the name of the collection. */
const HEAD = "collection";
const ATTEMPTS = 20;
const PAGE = 1_000;
/** Changes that a head names: a node that has missed no more of them reads the changed documents alone. */
const CHANGES_KEPT = 20;

/** The state that was read or written last. */
interface State {
  readonly version: number;
  readonly changes: Head["changes"];
  readonly byKind: ReadonlyMap<string, Documents>;
}

/** The value of a head: the ids of the documents that the newest changes wrote, oldest first. The last one made the head's version. */
interface Head {
  readonly changes: readonly (readonly (readonly [kind: string, id: string])[])[];
}

/** Documents of one kind by id, in the order of ids. */
export type Documents = ReadonlyMap<string, DocumentRecord>;

const NOTHING: State = { version: 0, changes: [], byKind: new Map() };

/** A change of a collection. */
export interface CollectionChange {
  /** Returns the writes; everything read from the collection is still current when they are made. */
  readonly writes: readonly Omit<DocumentWrite, "expected">[];
  readonly user: string | null;
  readonly noted?: AuditedWrite;
}

/**
 * A set of documents that change together, with one document more, the head, whose version counts the changes. Changes made anywhere are noticed by reading the head; and a change rests on all that was read, for it is
 * written only while the head is as it was.
 */
export class DocumentCollection {
  readonly #core: Pick<Core, "store" | "clock">;
  readonly #name: string;
  readonly #kinds: readonly string[];
  #state: State | null = null;

  /** @param name - for the head and for errors, such as `silences` */
  constructor(core: Pick<Core, "store" | "clock">, name: string, kinds: readonly string[]) {
    this.#core = core;
    this.#name = name;
    this.#kinds = kinds;
  }

  /** Counts the changes, as far as they were read. */
  get version(): number {
    return this.#state?.version ?? 0;
  }

  /** Returns the documents of a kind as they were last read or written. */
  of(kind: string): Documents {
    return this.#state?.byKind.get(kind) ?? new Map();
  }

  /** Reads the head, and what was changed since it was read last. */
  async refresh(): Promise<void> {
    const [head] = await this.#core.store.documents(HEAD, [this.#name]);
    const version = head?.version ?? 0;
    const known = this.#state;
    if (version === known?.version) return;
    const changes = (head?.value as Head | undefined)?.changes ?? [];
    const missed = known === null ? 0 : version - known.version;
    const byKind =
      known !== null && missed > 0 && missed <= changes.length
        ? await this.#changed(known, changes.slice(-missed).flat())
        : await this.#all();
    this.#state = { version, changes, byKind };
  }

  /**
   * Reads, changes and writes; when another node was quicker, again with what that one wrote. Returns the change that was made, `null` when `make` wants none.
   *
   * @throws HeadgateError `STORE_UNAVAILABLE` when others were quicker each time, and what `make` throws
   */
  async change<C extends CollectionChange>(make: (now: number) => C | null): Promise<C | null> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      await this.refresh();
      const change = make(this.#core.clock.now());
      if (change === null || (await this.write(change))) return change;
    }
    throw new HeadgateError("STORE_UNAVAILABLE", `too many concurrent updates to the ${this.#name}; try again`);
  }

  /** Writes a change that rests on what was read. Returns false, with nothing written, when another node has changed the collection since. */
  async write({ writes, user, noted }: CollectionChange): Promise<boolean> {
    const { store, clock } = this.#core;
    const known = this.#state ?? NOTHING;
    const changes = [...known.changes, writes.map(({ kind, id }) => [kind, id] as const)].slice(-CHANGES_KEPT);
    const head = { kind: HEAD, id: this.#name, value: { changes }, expected: known.version };
    const all = [head, ...writes.map((write) => ({ ...write, expected: null }))];
    const written = await store.putDocuments(all, user, clock.now(), noted);
    if (written === null) return false;
    const byKind = withChanges(
      known.byKind,
      writes.map(({ kind, id }, index) => [kind, id, written[index + 1] ?? null] as const),
    );
    this.#state = { version: known.version + 1, changes, byKind };
    return true;
  }

  async #changed(known: State, keys: readonly (readonly [kind: string, id: string])[]): Promise<State["byKind"]> {
    const changed: (readonly [string, string, DocumentRecord | null])[] = [];
    for (const kind of this.#kinds) {
      const ids = [...new Set(keys.filter((key) => key[0] === kind).map(([, id]) => id))];
      if (ids.length === 0) continue;
      const found = await this.#core.store.documents(kind, ids);
      changed.push(...ids.map((id, index) => [kind, id, found[index] ?? null] as const));
    }
    return withChanges(known.byKind, changed);
  }

  async #all(): Promise<State["byKind"]> {
    const byKind = new Map<string, Documents>();
    for (const kind of this.#kinds) byKind.set(kind, new Map((await allDocuments(this.#core.store, kind)).map((one) => [one.id, one])));
    return byKind;
  }
}

/** Returns all documents of a kind, in the order of ids. */
export async function allDocuments(store: Pick<Store, "listDocuments">, kind: string): Promise<readonly DocumentRecord[]> {
  const all: DocumentRecord[] = [];
  for (;;) {
    const page = await store.listDocuments(kind, { after: all.at(-1)?.id ?? null, limit: PAGE });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

function withChanges(
  known: State["byKind"],
  changed: readonly (readonly [kind: string, id: string, document: DocumentRecord | null])[],
): State["byKind"] {
  const next = new Map([...known].map(([kind, documents]) => [kind, new Map(documents)]));
  for (const [kind, id, document] of changed) {
    const documents = next.get(kind) ?? new Map<string, DocumentRecord>();
    if (document === null) documents.delete(id);
    else documents.set(id, document);
    next.set(kind, documents);
  }
  return next;
}
