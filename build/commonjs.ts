import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { commonJsOf } from "./commonjs-form.js";

/** Has no CommonJS form, and becomes a file of its own here. */
const WITHOUT_COMMONJS = "p-queue";
/** Not for `require`. */
const LEFT_OUT: ReadonlySet<string> = new Set(["cli.js"]);

/**
 * Writes the CommonJS form of all files of a folder to its folder `cjs`, file by file: for loaders that can neither import nor `require` ES modules, such as Jest's. Node, which can, gets the ES modules under the condition
 * `module-sync` of package.json, and bundlers get them under `module`, so that there is one copy of everything in a process.
 *
 * The files keep their names, which end in `.js` (a package.json beside them says what they are): npm packs them beside the ES modules of the same name, and compressed they take hardly any place.
 */
export async function writeCommonJs(folder: string): Promise<void> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".js") && !LEFT_OUT.has(name));
  for (const name of names) {
    const root = "../".repeat(name.split(/[\\/]/).length - 1) || "./";
    const target = join(folder, "cjs", name);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(
      target,
      commonJsOf(await readFile(join(folder, name), "utf8"), (other) => (other === WITHOUT_COMMONJS ? `${root}${other}.js` : other)),
    );
  }
  await writeFile(join(folder, "cjs", "package.json"), '{ "type": "commonjs" }\n');
  await writeFile(join(folder, "cjs", `${WITHOUT_COMMONJS}.js`), await bundled());
}

async function bundled(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: `export * from "${WITHOUT_COMMONJS}"; export { default } from "${WITHOUT_COMMONJS}";`, resolveDir: "." },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    external: ["eventemitter3"],
    banner: { js: `// ${WITHOUT_COMMONJS} and p-timeout, MIT License, Copyright (c) Sindre Sorhus (https://sindresorhus.com)` },
    write: false,
  });
  return outputFiles.map(({ text }) => text.replaceAll(/^\/\/ \S*\/(?=node_modules\/)/gm, "// ")).join("");
}
