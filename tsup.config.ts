import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, defineConfig } from "tsup";
import { writeCommonJs } from "./build/commonjs.js";
import { shareDeclarations } from "./build/declarations.js";
import { command, entries } from "./build/entries.js";
import { planParts } from "./build/parts.js";
import { partsPlugin, sourceOf } from "./build/parts-plugin.js";
import { finishSourceMap } from "./build/source-map.js";

export default defineConfig(async ({ dts }) => {
  const parts = await planParts({ ...entries, cli: command }, "client");
  return {
    entry: Object.fromEntries(parts.map((part) => [part.name, sourceOf(part)])),
    esbuildPlugins: [partsPlugin(parts)],
    format: "esm",
    target: "node20",
    splitting: false,
    sourcemap: true,
    removeNodeProtocol: false,
    clean: true,
    onSuccess: () => finish(dts !== false),
  };
});

/** @param hasTypes - false with `--no-dts`, which is much faster */
async function finish(hasTypes: boolean): Promise<void> {
  for (const name of await readdir("dist", { recursive: true })) if (name.endsWith(".js")) await finishSourceMap(join("dist", name));
  await writeCommonJs("dist");
  for (const name of Object.keys(entries)) await import(pathToFileURL(`dist/${name}.js`).href); // fails where a name is missing
  const { configSchema } = (await import(pathToFileURL("dist/config.js").href)) as typeof import("./src/config/index.js");
  await writeFile("dist/schema.json", JSON.stringify(configSchema()));
  if (!hasTypes) return;
  await build({ config: false, entry: entries, format: "esm", target: "node20", dts: { only: true }, silent: true });
  await shareDeclarations("dist", new Set(Object.keys(entries)));
}
