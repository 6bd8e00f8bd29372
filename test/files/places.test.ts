import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ClaimDirectory } from "../../src/adapters/files/claim-directory.js";
import { canUseHandles } from "../../src/adapters/files/held-directory.js";

const root = mkdtempSync(join(tmpdir(), "headgate-places-"));
afterAll(() => rmSync(root, { recursive: true }));
const hasHandles = await canUseHandles();
let made = 0;

async function opened(usesHandles: boolean) {
  const service = join(root, `s${made++}`);
  const directory = join(service, "triggers");
  mkdirSync(join(service, "private"), { recursive: true });
  writeFileSync(join(service, "private", "0123456789abcdef01234567~secret.json"), "{}");
  const all = new ClaimDirectory({ directory, workDirectory: null, keepsProcessed: true, usesHandles });
  await all.make();
  const places = await all.open();
  writeFileSync(join(directory, "a.json"), "{}");
  return { all, service, directory, places, secrets: () => readdirSync(join(service, "private")) };
}

describe.each([
  ["through open handles", true],
  ["by plain paths, where the system has no others", false],
])("trigger files that are moved %s", (_, usesHandles) => {
  const run = it.skipIf(usesHandles && !hasHandles);

  run("go from the drop directory to .claimed, and to processed or rejected", async () => {
    const { places, directory } = await opened(usesHandles);
    const claimed = await places.claim("a.json");
    expect(claimed).toMatch(/^[0-9a-f]{24}~a\.json$/);
    expect(await places.claimed()).toEqual({ own: [claimed], foreign: [] });
    await places.finish(claimed);
    expect(readdirSync(join(directory, "processed"))).toEqual([claimed]);
    writeFileSync(join(directory, "b.json"), "{");
    expect(await places.reject(places.dropped("b.json"), "b.json", { error: "x" })).toBe(join(directory, "rejected", "b.json"));
    await places.close();
  });

  run("beside a report without its file, of a process that was killed in between, leave that report as it is", async () => {
    const { places, directory } = await opened(usesHandles);
    writeFileSync(join(directory, "rejected", "a.json.error.json"), "left");
    expect(await places.reject(places.dropped("a.json"), "a.json", { error: "x" })).toBe(join(directory, "rejected", "a-2.json"));
    expect(readdirSync(join(directory, "rejected")).toSorted()).toEqual(["a-2.json", "a-2.json.error.json", "a.json.error.json"]);
    await places.close();
  });

  run("leave no report behind when the move fails", async () => {
    const { places, directory } = await opened(usesHandles);
    expect(await places.reject(places.dropped("gone.json"), "gone.json", { error: "x" })).toBeNull();
    expect(readdirSync(join(directory, "rejected"))).toEqual([]);
    await places.close();
  });

  run("are never moved through a directory that took the place of another meanwhile", async () => {
    const { all, places, directory, secrets } = await opened(usesHandles);
    for (const name of [".claimed", "rejected", "processed"]) {
      renameSync(join(directory, name), join(directory, `${name}.old`));
      symlinkSync("../private", join(directory, name));
    }
    const before = secrets();
    const attempts = [
      () => places.claim("a.json"),
      () => places.reject(places.dropped("a.json"), "a.json", { error: "x" }),
      () => places.finish("0123456789abcdef01234567~secret.json"),
    ];
    for (const attempt of attempts) {
      const error = await attempt().then(
        () => null,
        (failure: { code: string }) => failure,
      );
      // through a handle the move ends where it was meant to; by a path it is refused
      if (usesHandles) expect(error).toBeNull();
      else expect(error).toMatchObject({ code: "UNSAFE_DIRECTORY", message: expect.stringContaining("was replaced while it was in use") });
      expect(secrets()).toEqual(before);
    }
    expect(readdirSync(join(directory, ".claimed.old")).length).toBe(usesHandles ? 1 : 0);
    await places.close();
    await expect(all.open()).rejects.toThrow(/\.claimed is a symbolic link/);
  });

  run("need directories that are the same as before; another is reported once, and used when it is safe", async () => {
    const { all, places, directory } = await opened(usesHandles);
    await places.close();
    renameSync(join(directory, "rejected"), join(directory, "old"));
    mkdirSync(join(directory, "rejected"), { mode: 0o700 });
    await expect(all.open()).rejects.toMatchObject({
      code: "UNSAFE_DIRECTORY",
      message: expect.stringContaining("was replaced while it was in use"),
    });
    await (await all.open()).close();
  });
});
