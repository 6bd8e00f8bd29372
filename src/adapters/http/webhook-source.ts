/** A source of webhooks. */
export interface WebhookSource {
  /** As the body's `source`, or the last part of `/api/v1/webhooks/{source}`. */
  source: string;
  /** The pipelines it may trigger. Default: all. */
  pipelines?: readonly string[];
  /**
   * A signature by it replaces a token. For `standard` as that scheme writes it (`whsec_…`). A list of up to 5, the newest first, while one is replaced by another: all of
   * them are accepted.
   */
  secret?: string | readonly string[];
  /** `standard`: Standard Webhooks; `github`: `X-Hub-Signature-256`. Default `"standard"`. */
  scheme?: "standard" | "github";
  /**
   * The events that trigger; others are answered with 422. Default: all. Only what is signed counts: for `github` the event is recognised by its payload, and must be what
   * `X-GitHub-Event` says; for `standard` it is the payload's `type` or `event`.
   */
  events?: readonly string[];
  /** Makes the run's parameters of what was sent. Default: what was sent, if it is an object. */
  parameters?: (payload: unknown) => Record<string, unknown>;
}
