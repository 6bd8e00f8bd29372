import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Turns the declarations of ES modules that a folder has into those of the package: of each entry point one file, `index.d.cts`, which both module systems share, so that a type is one type whoever loaded it. Only CommonJS declarations
 * can be shared: an ES module may import them, the other way round TypeScript refuses. What `import` finds, `index.d.ts`, is a line that exports it.
 *
 * What several entry points declare is in `types`, by name instead of by hash.
 *
 * @throws Error when two would have one name
 */
export async function shareDeclarations(folder: string, entries: ReadonlySet<string>): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".d.ts")).map((name) => name.slice(0, -".d.ts".length));
  const shared = new Map(files.filter((name) => !entries.has(name)).map((name) => [name, name.replace(/-[\w-]{8}$/, "")]));
  if (new Set(shared.values()).size < shared.size)
    throw new Error(`declarations of one name: ${[...shared.values()].toSorted().join(", ")}`);
  await mkdir(join(folder, "types"), { recursive: true });
  for (const name of files) {
    const own = shared.get(name);
    const text = await readFile(join(folder, `${name}.d.ts`), "utf8");
    const linked = text.replaceAll(/(["'])\.\/([\w-]+)\.js\1/g, (_, quote: string, other: string) => {
      const there = shared.get(other);
      const path = there === undefined ? `${own === undefined ? "./" : "../"}${other}` : `${own === undefined ? "./types/" : "./"}${there}`;
      return `${quote}${path}.cjs${quote}`;
    });
    await rm(join(folder, `${name}.d.ts`));
    await writeFile(join(folder, own === undefined ? `${name}.d.cts` : `types/${own}.d.cts`), linked);
    if (own === undefined) await writeFile(join(folder, `${name}.d.ts`), `export * from "./${name}.cjs";\n`);
  }
}
