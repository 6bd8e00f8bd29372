import { describe, expect, test } from "vitest";
import { SerialQueue } from "../../src/base/serial-queue.js";
import { Signal } from "../../src/base/signal.js";
import { withTimeout } from "../../src/base/with-timeout.js";

/** A clock whose timers fire when the test says so. */
function timers() {
  const open = new Set<() => void>();
  return {
    clock: {
      setTimer: (_: number, fn: () => void) => {
        open.add(fn);
        return () => void open.delete(fn);
      },
    },
    open,
    fire: () => {
      for (const fn of open) fn();
    },
  };
}

const never = new Promise<never>(() => {});
const error = () => new Error("no answer");

describe("withTimeout", () => {
  test("answers as the call does, and leaves no timer and no listener", async () => {
    const { clock, open } = timers();
    const { signal } = new AbortController();
    await expect(withTimeout({ clock, timeoutMs: 1, error, signal }, () => 7)).resolves.toBe(7);
    await expect(withTimeout({ clock, timeoutMs: 1, error, signal }, () => Promise.reject(new Error("refused")))).rejects.toThrow(
      "refused",
    );
    await expect(
      withTimeout({ clock, timeoutMs: 1, error, signal }, () => {
        throw new Error("at once");
      }),
    ).rejects.toThrow("at once");
    expect(open.size).toBe(0);
  });

  test("rejects when the time is over, and aborts the call with the same reason", async () => {
    const { clock, fire } = timers();
    let given: AbortSignal | undefined;
    const result = withTimeout({ clock, timeoutMs: 1, error }, (signal) => {
      given = signal;
      return never;
    });
    fire();
    await expect(result).rejects.toThrow("no answer");
    expect(given?.reason).toEqual(new Error("no answer"));
  });

  test("ends with the signal's reason, also when that had aborted before", async () => {
    const { clock, open } = timers();
    const controller = new AbortController();
    const result = withTimeout({ clock, timeoutMs: 1, error, signal: controller.signal }, () => never);
    controller.abort(new Error("stopped"));
    await expect(result).rejects.toThrow("stopped");
    let isCalled = false;
    await expect(
      withTimeout({ clock, timeoutMs: 1, error, signal: controller.signal }, () => {
        isCalled = true;
      }),
    ).rejects.toThrow("stopped");
    expect({ isCalled, open: open.size }).toEqual({ isCalled: false, open: 0 });
  });
});

test("a serial queue runs one work after the other, whether or not those before succeeded", async () => {
  const queue = new SerialQueue();
  const seen: string[] = [];
  let release = () => {};
  const first = queue.run(async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    seen.push("first");
    throw new Error("failed");
  });
  const second = queue.run(() => seen.push("second"));
  await Promise.resolve();
  expect(seen).toEqual([]);
  release();
  await expect(first).rejects.toThrow("failed");
  await second;
  await queue.idle();
  expect(seen).toEqual(["first", "second"]);
});

test("a signal calls its listeners at once, in the order in which they were added", () => {
  const signal = new Signal<number>();
  const seen: string[] = [];
  signal.on((value) => seen.push(`a${value}`));
  signal.on((value) => seen.push(`b${value}`));
  signal.emit(1);
  expect(seen).toEqual(["a1", "b1"]);
});
