import { constants } from "node:fs";
import { lstat, open, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { BadFile } from "./content.js";

/** What a file held, and by what to see whether it has changed since. */
export interface FileBytes {
  readonly bytes: Buffer;
  /** Size and time of its last change. */
  readonly signature: string;
}

/** Neither follows a link that took the file's place meanwhile, nor waits for whoever writes into a pipe. */
const SAFELY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Reads a regular file, or what a link within `root` points to, no more than `limit` bytes.
 *
 * @throws BadFile for what is no file that may be read; the error of the file system (`ENOENT`: it is gone)
 */
export async function readWithin(path: string, root: string, limit: number): Promise<FileBytes> {
  const found = await lstat(path);
  if (found.isDirectory()) throw new BadFile("it is a directory; a trigger is a file");
  const file = found.isSymbolicLink() ? await targetOf(path, root) : path;
  if (!found.isSymbolicLink() && !found.isFile()) throw new BadFile("it is no regular file");
  try {
    return await readFile(file, limit);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") throw new BadFile(`it cannot be read (${code}); let the service read it`);
    if (code === "ELOOP") throw new BadFile("it is a link to a link");
    throw error;
  }
}

async function targetOf(path: string, root: string): Promise<string> {
  let target: string;
  try {
    target = await realpath(path);
  } catch (error) {
    throw new BadFile(`it is a link to what is not there (${(error as NodeJS.ErrnoException).code})`);
  }
  if (!target.startsWith(`${await realpath(root)}${sep}`)) throw new BadFile("it is a link out of the directory");
  if (!(await lstat(target)).isFile()) throw new BadFile("it is a link to what is no regular file");
  return target;
}

async function readFile(file: string, limit: number): Promise<FileBytes> {
  const handle = await open(file, SAFELY);
  try {
    const { size, mtimeMs } = await handle.stat();
    if (size > limit) throw new BadFile(`it has ${size} bytes, over the limit of ${limit}`);
    const buffer = Buffer.alloc(Math.min(limit, size + 1_023) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    if (length > limit) throw new BadFile(`it has more than ${limit} bytes`);
    return { bytes: buffer.subarray(0, length), signature: `${mtimeMs}:${size}:${length}` };
  } finally {
    await handle.close();
  }
}
