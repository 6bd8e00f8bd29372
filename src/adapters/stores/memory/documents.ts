import type { DocumentRecord, DocumentStore, DocumentWrite } from "../../../ports/store.js";

/** Documents in memory, by kind and id. */
export class Documents {
  readonly #kinds = new Map<string, Map<string, DocumentRecord>>();

  get(kind: string, id: string): DocumentRecord | null {
    return this.#kinds.get(kind)?.get(id) ?? null;
  }

  list(kind: string, { after, limit }: Parameters<DocumentStore["listDocuments"]>[1]): readonly DocumentRecord[] {
    const all = this.#kinds.get(kind);
    if (all === undefined) return [];
    const ids = [...all.keys()].filter((id) => after === null || id > after).sort();
    return ids.slice(0, limit).map((id) => all.get(id) as DocumentRecord);
  }

  /** @param note - called before anything is written, with the values that are there; when it throws, nothing is written */
  put(
    writes: readonly DocumentWrite[],
    by: string | null,
    now: number,
    note: (before: readonly unknown[]) => void,
  ): readonly (DocumentRecord | null)[] | null {
    const known = writes.map(({ kind, id }) => this.get(kind, id));
    if (writes.some((write, index) => !isExpected(write, known[index] ?? null))) return null;
    note(known.map((one) => one?.value ?? null));
    return writes.map(({ kind, id, value }, index) => {
      if (value === null) {
        this.#kinds.get(kind)?.delete(id);
        return null;
      }
      const written: DocumentRecord = { kind, id, value, version: (known[index]?.version ?? 0) + 1, updatedAt: now, updatedBy: by };
      const all = this.#kinds.get(kind) ?? new Map<string, DocumentRecord>();
      this.#kinds.set(kind, all.set(id, written));
      return written;
    });
  }
}

function isExpected({ expected }: DocumentWrite, known: DocumentRecord | null): boolean {
  return expected === null || expected === (known?.version ?? 0);
}
