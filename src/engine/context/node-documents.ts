import type { NodeSnapshot } from "../../monitor/alert.js";
import type { Store } from "../../ports/store.js";
import { allDocuments } from "./document-collection.js";

/** Kind of the documents by which nodes say that they are there, by the name of the node. */
export const NODE = "node";

/** Returns what nodes have said last. */
export async function readNodes(store: Pick<Store, "listDocuments">): Promise<readonly Partial<Omit<NodeSnapshot, "node" | "isLost">>[]> {
  return (await allDocuments(store, NODE)).map(({ value }) => value as Partial<NodeSnapshot>);
}
