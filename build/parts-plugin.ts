import { posix } from "node:path";
import type { Plugin } from "esbuild";
import type { Part } from "./parts.js";

const { dirname, join, relative, resolve } = posix;

/** The file by which the build is told of a part that is no entry point: any of its own. */
export const sourceOf = ({ files }: Part): string => files[0] as string;

/** Has esbuild build each part as one file that exports all that its modules export, and that imports the files of other parts. */
export function partsPlugin(parts: readonly Part[]): Plugin {
  const partOf = new Map(parts.flatMap((part) => part.files.map((file) => [file, part] as const)));
  return {
    name: "parts",
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /\.ts$/ }, ({ kind, path }) => {
        const part = partOf.get(relative(process.cwd(), resolve(path)));
        return kind === "entry-point" && part?.name.startsWith("lib/") ? { path: part.name, namespace: "part" } : undefined;
      });
      onLoad({ filter: /^/, namespace: "part" }, ({ path }) => {
        const files = parts.find(({ name }) => name === path)?.files ?? [];
        return { contents: files.map((file) => `export * from "./${file}";`).join("\n"), resolveDir: process.cwd(), loader: "ts" };
      });
      onResolve({ filter: /^\.\.?\//, namespace: "file" }, ({ importer, path }) => {
        const from = relative(process.cwd(), importer);
        const here = partOf.get(from);
        const there = partOf.get(join(dirname(from), path).replace(/\.js$/, ".ts"));
        if (here === undefined || there === undefined || here === there) return undefined;
        const other = relative(dirname(here.name), `${there.name}.js`);
        return { path: other.startsWith(".") ? other : `./${other}`, external: true };
      });
    },
  };
}
