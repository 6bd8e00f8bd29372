import { SerialQueue } from "../../../base/serial-queue.js";

const queues = new Map<string, WeakRef<FileQueue>>();

/**
 * Runs transactions on one file one after the other. SQLite lets one connection write at a time, and its own wait for the lock stops this process: a transaction of another
 * store in the same process, which needs the event loop to end, could never end meanwhile. So all stores of a process that have the same file open share a queue.
 */
export class FileQueue extends SerialQueue {
  /**
   * Returns the queue of a file, the same one for as long as anybody has it.
   *
   * @param identity - of the file itself, whatever path leads to it
   */
  static of(identity: string): FileQueue {
    const known = queues.get(identity)?.deref();
    if (known !== undefined) return known;
    for (const [one, queue] of queues) if (queue.deref() === undefined) queues.delete(one);
    const queue = new FileQueue();
    queues.set(identity, new WeakRef(queue));
    return queue;
  }
}
