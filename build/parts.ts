/**
 * Plans what files the package consists of: one for each entry point, and one for each room of the house (a folder of `src`) that entry points share. A room that is large is cut into several, and what the client for
 * browsers needs of a room is cut from it.
 *
 * Files never import each other in a circle, and names say what is in them, not a hash of it: `dist/lib/engine/firing.js` is `src/engine/firing/`.
 */
import { posix } from "node:path";
import { build, type Metafile } from "esbuild";

const { basename, dirname, join } = posix;

/** A file to build. */
export interface Part {
  /** Path below `dist`, without its ending. */
  readonly name: string;
  /** Source files, such as `src/gate/decide.ts`. */
  readonly files: readonly string[];
}

/** Bytes of code from which a room is cut: files of this size and their CommonJS forms beside them are compressed as little more than one, as gzip looks back 32 KiB; smaller ones make imports slower. */
const LARGE_BYTES = 28_000;

interface Module {
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly bytes: number;
}
type Modules = ReadonlyMap<string, Module>;

/**
 * @param entries - source file by the name of the entry point
 * @param browser - the entry point that browsers load: nothing that it does not need comes with it
 * @throws Error when two modules of a part export one name, or parts import each other in a circle
 */
export async function planParts(entries: Readonly<Record<string, string>>, browser: string): Promise<readonly Part[]> {
  const modules = await modulesOf(Object.values(entries));
  const order = inOrder(modules, Object.values(entries));
  const entryFiles = new Set(Object.values(entries));
  const light = new Set(inOrder(modules, [entries[browser] as string]));
  const rooms = groupBy(
    order.filter((file) => !entryFiles.has(file)),
    (file) => roomOf(file, modules) + (light.has(file) ? "?" : ""),
  );
  const folders = groupBy([...rooms.keys()], (key) => key.replace("?", ""));
  const parts: Part[] = Object.entries(entries).map(([name, file]) => ({ name, files: [file] }));
  for (const [folder, keys] of folders) {
    const cuts = keys.flatMap((key) => cut(rooms.get(key) ?? [], modules));
    const room = join("lib", folder.replace(/^src\/?/, ""));
    for (const files of cuts) parts.push({ name: cuts.length === 1 ? room : join(room, mainOf(files, modules)), files });
  }
  check(parts, modules);
  return parts;
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}

/** What the files import from each other, once types are gone. */
async function modulesOf(entries: readonly string[]): Promise<Modules> {
  const common = { format: "esm", platform: "node", packages: "external", outdir: "dist", write: false, metafile: true } as const;
  const { metafile: all } = await build({ ...common, entryPoints: [...entries], bundle: true });
  const files = Object.keys(all.inputs).filter((file) => file.startsWith("src/"));
  const { metafile } = await build({ ...common, entryPoints: files, bundle: true, splitting: true });
  const exported = new Map(Object.values(metafile.outputs).map(({ entryPoint, exports }) => [entryPoint, exports]));
  const bytes = bytesOf(metafile);
  return new Map(
    files.map((file) => [
      file,
      {
        imports: (metafile.inputs[file]?.imports ?? []).filter(({ external }) => external !== true).map(({ path }) => path),
        exports: exported.get(file) ?? [],
        bytes: bytes.get(file) ?? 0,
      },
    ]),
  );
}

function bytesOf({ outputs }: Metafile): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  for (const { inputs } of Object.values(outputs))
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) bytes.set(file, (bytes.get(file) ?? 0) + bytesInOutput);
  return bytes;
}

/** What these files need, themselves included, each after what it imports. */
function inOrder(modules: Modules, files: readonly string[]): readonly string[] {
  const order = new Set<string>();
  const begun = new Set<string>();
  const visit = (file: string): void => {
    if (begun.has(file)) return;
    begun.add(file);
    for (const one of modules.get(file)?.imports ?? []) visit(one);
    order.add(file);
  };
  for (const file of files) visit(file);
  return [...order];
}

/** The folder of a file; where a folder and the one above it import each other, it is the one above. */
function roomOf(file: string, modules: Modules): string {
  const folder = dirname(file);
  const above = dirname(folder);
  const isImported = (from: string, to: string) =>
    [...modules].some(([name, { imports }]) => dirname(name) === from && imports.some((one) => dirname(one) === to));
  return isImported(folder, above) && isImported(above, folder) ? above : folder;
}

/** Files in their order, in runs of about the same size; in a run no name is exported twice. */
function cut(files: readonly string[], modules: Modules): readonly (readonly string[])[] {
  const bytes = (file: string) => modules.get(file)?.bytes ?? 0;
  const total = files.reduce((sum, file) => sum + bytes(file), 0);
  const count = Math.ceil(total / LARGE_BYTES);
  const runs: string[][] = [];
  let size = 0;
  let names = new Set<string>();
  for (const file of files) {
    const { exports = [] } = modules.get(file) ?? {};
    const isFull = size + bytes(file) / 2 > total / count && runs.length < count;
    if (isFull || runs.length === 0 || exports.some((name) => names.has(name))) {
      runs.push([]);
      size = 0;
      names = new Set();
    }
    runs.at(-1)?.push(file);
    size += bytes(file);
    for (const name of exports) names.add(name);
  }
  return runs;
}

/** The name of the largest file. */
function mainOf(files: readonly string[], modules: Modules): string {
  const bytes = (file: string) => modules.get(file)?.bytes ?? 0;
  return basename(
    files.reduce((most, file) => (bytes(file) > bytes(most) ? file : most)),
    ".ts",
  );
}

function check(parts: readonly Part[], modules: Modules): void {
  const names = parts.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`two files of the package are called ${twice}`);
  const partOf = new Map(parts.flatMap((part) => part.files.map((file) => [file, part] as const)));
  const done = new Set<Part>();
  const visit = (part: Part, path: readonly Part[]): void => {
    if (path.includes(part))
      throw new Error(`files of the package import each other: ${[...path, part].map(({ name }) => name).join(" → ")}`);
    if (done.has(part)) return;
    for (const file of part.files)
      for (const one of modules.get(file)?.imports ?? []) {
        const other = partOf.get(one);
        if (other !== undefined && other !== part) visit(other, [...path, part]);
      }
    done.add(part);
  };
  for (const part of parts) visit(part, []);
}
