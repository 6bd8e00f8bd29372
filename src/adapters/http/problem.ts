import { type ErrorCode, HeadgateError } from "../../base/errors.js";
import type { ParameterProblem } from "../../index.js";
import { escaped, type FieldProblem } from "../shared/safe-json.js";

/** The stable codes of answers that are not headgate's own {@link ErrorCode}s. */
export type HttpCode =
  | "UNAUTHENTICATED"
  | "TOKEN_EXPIRED"
  | "TOKEN_REVOKED"
  | "FORBIDDEN"
  | "METHOD_NOT_ALLOWED"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "BODY_TOO_LARGE"
  | "BODY_TIMED_OUT"
  | "BAD_JSON"
  | "INVALID_REQUEST"
  | "INVALID_SIGNATURE"
  | "RAW_BODY_MISSING"
  | "SOURCE_NOT_ALLOWED"
  | "AMBIGUOUS_PIPELINE"
  | "NOT_ADAPTIVE"
  | "RATE_LIMITED"
  | "TOO_MANY_STREAMS"
  | "AUDIT_UNAVAILABLE"
  | "INTERNAL";

/** An answer that something is wrong, as RFC 9457 has it. */
export class Problem extends Error {
  readonly status: number;
  readonly code: HttpCode | ErrorCode;
  readonly more: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: HttpCode | ErrorCode,
    detail: string,
    { headers = {}, ...more }: { headers?: Readonly<Record<string, string>>; [name: string]: unknown } = {},
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.more = more;
    this.headers = headers;
  }
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  UNKNOWN_PIPELINE: 404,
  NOT_FOUND: 404,
  NODE_ACTIVE: 409,
  PAUSED: 409,
  ALREADY_FINISHED: 409,
  NOT_FINISHED: 409,
  NOT_RETRYING: 409,
  DUPLICATE_PIPELINE: 409,
  PRECONDITION_FAILED: 412,
  IDEMPOTENCY_CONFLICT: 422,
  TOO_MANY: 422,
  SCHEDULER_STOPPED: 503,
  STORE_UNAVAILABLE: 503,
  STORE_FULL: 503,
  STORE_READ_ONLY: 503,
  STORE_REJECTED: 422,
};
const QUEUE_RETRY_S = "30";

/** Converts any error to a problem; unforeseen ones are not disclosed to callers. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HeadgateError) {
    if (error.code === "QUEUE_FULL") return queueFull(error);
    if (error.code === "INVALID_PARAMETERS") return invalidParameters(error);
    const status = STATUS[error.code] ?? (error.code.startsWith("INVALID_") ? 422 : 500);
    if (status === 503)
      return new Problem(503, error.code, "the scheduler cannot accept this now; try again", { headers: { "retry-after": "5" } });
    if (status !== 500) return new Problem(status, error.code, error.message);
  }
  return new Problem(500, "INTERNAL", "internal error; see the service's log for details");
}

/** 429 for what the caller itself has waiting, 503 for a pipeline or a queue that is full for every caller. */
/** A request has the parameters in its field `parameters`. */
function invalidParameters({ message, details }: HeadgateError): Problem {
  const { problems = [] } = details as { problems?: readonly ParameterProblem[] };
  const errors = problems.map(({ path, message: detail }): FieldProblem => {
    const pointer = ["parameters", ...path].map((part) => `/${escaped(String(part))}`).join("");
    return { pointer, detail };
  });
  return new Problem(422, "INVALID_PARAMETERS", message, errors.length === 0 ? {} : { errors });
}

function queueFull({ message, details }: HeadgateError): Problem {
  return new Problem(details.limit === "token" ? 429 : 503, "QUEUE_FULL", message, {
    headers: { "retry-after": QUEUE_RETRY_S },
    limit: details.limit,
    unit: details.unit,
    most: details.most,
  });
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
export function problemBody(problem: Problem, requestId: string): Record<string, unknown> {
  return {
    type: "about:blank",
    title: TITLES[problem.status] ?? "Error",
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    request_id: requestId,
    ...problem.more,
  };
}
