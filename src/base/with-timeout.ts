/** The part of a clock that sets timers. */
interface Timers {
  setTimer(delayMs: number, fn: () => void): () => void;
}

interface TimeoutOptions {
  readonly clock: Timers;
  readonly timeoutMs: number;
  /** Makes the error of a call that takes longer. */
  readonly error: () => Error;
  /** Ends the call early, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls something outside that may never answer. Rejects with `error()` after `timeoutMs`, or with the signal's reason; the call's own signal aborts with the same. What the call answers after that is dropped.
 *
 * @example
 * await withTimeout({ clock, timeoutMs: 10_000, error: () => new Error("no answer") }, (signal) => fetch(url, { signal }));
 */
export function withTimeout<T>(
  { clock, timeoutMs, error, signal }: TimeoutOptions,
  call: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    let stopTimer = () => {};
    const release = () => {
      stopTimer();
      signal?.removeEventListener("abort", onAbort);
    };
    const end = (reason: unknown) => {
      release();
      controller.abort(reason);
      reject(reason);
    };
    const onAbort = () => end(signal?.reason);
    if (signal?.aborted) return onAbort();
    stopTimer = clock.setTimer(timeoutMs, () => end(error()));
    signal?.addEventListener("abort", onAbort, { once: true });
    (async () => call(controller.signal))().then(resolve, reject).finally(release);
  });
}
