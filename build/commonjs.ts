import { readFile } from "node:fs/promises";
import { build } from "esbuild";

/** Have no CommonJS form, and become part of the file. */
const INSIDE: ReadonlySet<string> = new Set(["p-queue"]);

/**
 * Returns the CommonJS form of all entry points as one file: for loaders that can neither import nor `require` ES modules, such as Jest's. Node, which can, gets the ES modules under the condition `module-sync`
 * of package.json, so that there is one copy of everything in a process.
 *
 * One file holds one copy of what entry points share, and each module is evaluated when the first entry point that needs it is loaded.
 *
 * @param entries - source file by the name of the entry point
 */
export async function commonJs(entries: Readonly<Record<string, string>>): Promise<string> {
  const loaders = Object.entries(entries).map(([name, file]) => `exports[${JSON.stringify(name)}] = () => require("./${file}");`);
  const { outputFiles } = await build({
    stdin: { contents: loaders.join("\n"), resolveDir: "." },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    external: await packages(),
    // import() of such loaders fails: peers are required
    supported: { "dynamic-import": false },
    define: { HEADGATE_IS_COMMONJS: "true" },
    // as it is, it would be a third of the package
    minify: true,
    keepNames: true,
    legalComments: "none",
    logOverride: { "empty-import-meta": "silent" },
    write: false,
  });
  return outputFiles.map(({ text }) => text).join("");
}

async function packages(): Promise<string[]> {
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(await readFile("package.json", "utf8")) as Readonly<
    Record<string, object>
  >;
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).filter((name) => !INSIDE.has(name));
}
