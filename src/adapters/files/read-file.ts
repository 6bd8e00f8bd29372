import { constants, type Stats } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { BadFile } from "./parse-trigger-file.js";

/** Content of a file, and by what to see whether it has changed since. */
export interface FileBytes {
  readonly bytes: Buffer;
  readonly signature: string;
}

/** Neither follows a link that took the file's place meanwhile, nor waits for a writer of a pipe. */
const SAFELY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Reads a regular file, no more than `limit` bytes; links are never followed.
 *
 * @throws BadFile for what is no file that may be read; the error of the file system (`ENOENT`: it is gone)
 */
export async function readTriggerFile(path: string, limit: number): Promise<FileBytes> {
  checkType(await lstat(path));
  try {
    return await readFile(path, limit);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") throw new BadFile(`it cannot be read (${code}); grant the service read access`);
    if (code === "ELOOP") throw new BadFile(LINK);
    throw error;
  }
}

/** Identity, time of the last change and size: a file that was changed, or replaced by another, has another signature. */
export function signatureOf({ dev, ino, mtimeMs, size }: Stats): string {
  return `${dev}:${ino}:${mtimeMs}:${size}`;
}

const LINK = "it is a symbolic link; a trigger file is a regular file";

function checkType(found: Stats): void {
  if (found.isDirectory()) throw new BadFile("it is a directory; a trigger file is a regular file");
  if (found.isSymbolicLink()) throw new BadFile(LINK);
  if (!found.isFile()) throw new BadFile("it is not a regular file");
}

async function readFile(file: string, limit: number): Promise<FileBytes> {
  const handle = await open(file, SAFELY);
  try {
    const stats = await handle.stat();
    checkType(stats);
    const signature = signatureOf(stats);
    // a second name may be a file of the service that somebody linked to; programs that deliver by link and unlink have one for a moment
    if (stats.nlink > 1)
      throw new BadFile(`it has ${stats.nlink} hard links; a trigger file must have exactly one`, {
        isUnfinished: true,
        details: { signature },
      });
    if (stats.size > limit) throw new BadFile(`it has ${stats.size} bytes, over the limit of ${limit}`);
    const buffer = Buffer.alloc(Math.min(limit, stats.size + 1_023) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    if (length > limit) throw new BadFile(`it has more than ${limit} bytes`);
    return { bytes: buffer.subarray(0, length), signature };
  } finally {
    await handle.close();
  }
}
