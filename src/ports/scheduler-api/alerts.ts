import type { Duration } from "../../base/duration.js";
import type { AlertState, Silence } from "../../monitor/alert.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import type { AlertRunView } from "./alert-run.js";

/** Options of `scheduler.alerts.silence`. What is not named is any. */
export interface SilenceOptions extends ActionContext {
  /** Alerts of this pipeline. Default: of any. */
  pipelineId?: string;
  /** Alerts of the rule with this name. Default: of any. */
  rule?: string;
  /** Alerts of pipelines with this tag. Default: of any. */
  tag?: string;
  /** For how long. */
  duration: Duration;
}

/** An alert as it is handed out. */
export interface Alert extends Omit<AlertState, "since" | "firedAt" | "notifiedAt" | "run"> {
  readonly since: Date;
  readonly firedAt: Date | null;
  readonly notifiedAt: Date | null;
  /** The run that it is about, as it was when the alert was sent; `null` for none. */
  readonly run: AlertRunView | null;
}

/** Alerts that are firing, and silences. */
export interface Alerts {
  /** Returns the alerts that are pending or firing, over all nodes, as of the last evaluation. */
  list(): Promise<readonly Alert[]>;

  /** Returns the silences that are active, or will be. */
  silences(): Promise<readonly Silence[]>;

  /**
   * Silences the alerts of a pipeline, a rule or a tag for a period.
   *
   * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `TOO_MANY`
   * @example
   * await scheduler.alerts.silence({ pipelineId: "sales", duration: "2h", reason: "the warehouse is moving", user: "ana" });
   */
  silence(options: SilenceOptions): Promise<Silence>;

  /** Ends a silence. @throws HeadgateError `NOT_FOUND` */
  unsilence(id: string, act?: ActionContext): Promise<void>;

  /** Evaluates the rules now, if this node is the one that does; resolves when what is due was sent, or has failed. */
  evaluate(): Promise<void>;
}
