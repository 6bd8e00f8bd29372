import { Signal } from "../../base/signal.js";

/** Signals between the parts of one scheduler: those that emit them are made before, or know nothing of, those that react. */
export class Signals {
  /** Something may be due or has changed: the loop does a round. */
  readonly wake = new Signal();
  /** An attempt has left its place at its executor; its end may still be being recorded. */
  readonly placeFreed = new Signal();
  /** A run of the pipeline with this id has ended for good. */
  readonly runEnded = new Signal<string>();
}
