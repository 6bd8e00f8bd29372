import { readFile, rm, writeFile } from "node:fs/promises";
import { decode, encode, type SourceMapSegment } from "@jridgewell/sourcemap-codec";

/**
 * Whose sources are in the package: the rooms that decide when a pipeline runs and why. Others have no maps, and are read and debugged as the code that they are. The sources of all would be three quarters of a megabyte when they are packed, and
 * a map without its sources has debuggers look for files that are nowhere: whatever a stack names can be opened.
 */
const WITH_SOURCES = /^(?:\.\.\/)+src\/(?:gate|pipeline|run|schedule|trigger)\//;

interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
  readonly names: readonly string[];
}

/** Keeps the map of a file, with its sources, or removes it. */
export async function finishSourceMap(file: string): Promise<void> {
  const map = JSON.parse(await readFile(`${file}.map`, "utf8")) as SourceMap;
  if (map.sources.length > 0 && map.sources.every((name) => WITH_SOURCES.test(name)))
    await writeFile(`${file}.map`, JSON.stringify(withoutColumns(map)));
  else {
    await rm(`${file}.map`);
    await writeFile(file, (await readFile(file, "utf8")).replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n"));
  }
}

/** Returns a source map with its lines and without most of its columns, which are three quarters of it: stacks show files and lines, debuggers stop at lines. */
function withoutColumns(map: SourceMap): SourceMap {
  return { ...map, names: [], mappings: encode(decode(map.mappings).map(lineOf)) };
}

/** Keeps the first place of each source line. */
function lineOf(segments: SourceMapSegment[]): SourceMapSegment[] {
  return segments
    .filter((one, index) => {
      const before = segments[index - 1];
      return before === undefined || before[1] !== one[1] || before[2] !== one[2];
    })
    .map((one) => (one.length === 5 ? [one[0], one[1], one[2], one[3]] : one));
}
