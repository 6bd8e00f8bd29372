/** Top-level fields of an event's payload: those that are there, and those that belong to another event with the same fields. */
interface Shape {
  readonly has: readonly string[];
  readonly lacks?: readonly string[];
}

/**
 * Shapes that distinguish GitHub's events by the payload alone. Every payload matches at most one.
 *
 * @see https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ["check_run", { has: ["action", "check_run"], lacks: ["deployment"] }],
  ["check_suite", { has: ["action", "check_suite"] }],
  ["commit_comment", { has: ["action", "comment"], lacks: ["issue", "pull_request", "discussion"] }],
  ["create", { has: ["ref", "ref_type", "master_branch"] }],
  ["delete", { has: ["ref", "ref_type", "pusher_type"], lacks: ["master_branch"] }],
  ["deployment", { has: ["action", "deployment"], lacks: ["deployment_status", "workflow_job", "deployment_callback_url"] }],
  ["deployment_status", { has: ["action", "deployment", "deployment_status"] }],
  ["discussion", { has: ["action", "discussion"], lacks: ["comment"] }],
  ["discussion_comment", { has: ["action", "discussion", "comment"] }],
  ["fork", { has: ["forkee"] }],
  ["gollum", { has: ["pages"] }],
  ["issue_comment", { has: ["action", "issue", "comment"] }],
  ["issues", { has: ["action", "issue"], lacks: ["comment"] }],
  ["label", { has: ["action", "label"], lacks: ["issue", "pull_request", "discussion"] }],
  ["merge_group", { has: ["action", "merge_group"] }],
  ["milestone", { has: ["action", "milestone"], lacks: ["issue", "pull_request"] }],
  ["package", { has: ["action", "package"] }],
  ["page_build", { has: ["build", "id"] }],
  ["ping", { has: ["zen", "hook_id"] }],
  ["pull_request", { has: ["action", "number", "pull_request"], lacks: ["review", "comment", "thread"] }],
  ["pull_request_review", { has: ["action", "pull_request", "review"], lacks: ["comment"] }],
  ["pull_request_review_comment", { has: ["action", "pull_request", "comment"] }],
  ["pull_request_review_thread", { has: ["action", "pull_request", "thread"] }],
  ["push", { has: ["ref", "before", "after", "commits", "pusher"] }],
  ["registry_package", { has: ["action", "registry_package"] }],
  ["release", { has: ["action", "release"] }],
  ["repository_dispatch", { has: ["action", "branch", "client_payload"] }],
  ["star", { has: ["action", "starred_at"] }],
  ["status", { has: ["sha", "state", "context", "branches"] }],
  ["workflow_dispatch", { has: ["inputs", "ref", "workflow"] }],
  ["workflow_job", { has: ["action", "workflow_job"] }],
  ["workflow_run", { has: ["action", "workflow", "workflow_run"], lacks: ["deployment"] }],
]);

/** Events of GitHub that are known by their payload. */
export const GITHUB_EVENTS: readonly string[] = [...SHAPES.keys()];

/** Returns the event whose payload this is; `null` when it is that of none in {@link GITHUB_EVENTS}, or of several. */
export function githubEventOf(payload: unknown): string | null {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return null;
  const there = (name: string) => Object.hasOwn(payload, name);
  const matches = [...SHAPES].filter(([, { has, lacks = [] }]) => has.every(there) && !lacks.some(there));
  return matches.length === 1 ? (matches[0]?.[0] ?? null) : null;
}
