/** Interval of checks, ms. */
const LOOKED_EVERY_MS = 1_000;

/** View of the process that {@link whenNpxIsGone} watches. */
interface ProcessView {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly ppid: number;
}

/**
 * Calls a function once when this process was started by `npx` and that is gone. A signal to `npx` ends the shell between the two and reaches nobody behind it: this process would go on, without a parent.
 *
 * @param view - this process
 */
export function whenNpxIsGone(onGone: () => void, view: ProcessView = process): void {
  if (view.env.npm_command !== "exec" || process.platform === "win32") return; // as a service, or in the background of a shell, it may outlive its parent
  const parent = view.ppid;
  const timer = setInterval(() => {
    if (view.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, LOOKED_EVERY_MS);
  timer.unref();
}
