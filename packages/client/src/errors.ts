// The one class of errors: a stable code for programs, a sentence for people, and what became of a write.
//
// Promise: what fails in a call is a StreamkitError, or the reason of the caller's own signal. It is known by its name,
// so that two copies of this package in one program do not mistake each other's.

/** Codes of the service, and those of this package. The service may get new ones. */
export type ErrorCode =
  // Of this package: no answer came, or none that means something.
  | "connection_failed"
  | "timed_out"
  | "unexpected_answer"
  | "undecodable_payload"
  | "invalid_signature"
  | "lease_lost"
  | "closed"
  // Of the service.
  | "invalid_argument"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "method_not_allowed"
  | "sequence_mismatch"
  | "transaction_id_mismatch"
  | "lease_held"
  | "trimmed"
  | "deleted"
  | "format_not_enabled"
  | "record_too_large"
  | "request_timeout"
  | "request_too_large"
  | "unsupported_media_type"
  | "not_acceptable"
  | "throttled"
  | "overloaded"
  | "storage_unavailable"
  | "not_confirmed"
  | "misconfigured"
  | "corrupt_data"
  | "internal"
  | (string & {});

/**
 * What became of a write that failed. `none`: it did not happen and never will. `unknown`: it may have happened, or may
 * still. `committed`: it is durable, and readers will see it. `partial`: the first `details.committedRecords` records
 * are committed, no others.
 */
export type Effect = "none" | "unknown" | "committed" | "partial";

/** The request that failed: for a look at it in a debugger, never printed. */
export interface FailedRequest {
  readonly method: string;
  readonly url: string;
}

export interface FailedResponse {
  readonly status: number;
  readonly headers: Headers;
}

export interface StreamkitErrorOptions {
  readonly statusCode?: number | undefined;
  readonly retryable?: boolean | undefined;
  readonly effect?: Effect | undefined;
  readonly requestId?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
  readonly request?: FailedRequest | undefined;
  readonly response?: FailedResponse | undefined;
}

export class StreamkitError extends Error {
  override readonly name = "StreamkitError";
  readonly code: ErrorCode;
  /** The HTTP status; undefined when no answer came. */
  readonly statusCode: number | undefined;
  /** Whether the same call may succeed later. It was repeated already, for as long as the options say. */
  readonly retryable: boolean;
  /** Of a write; undefined of a read. */
  readonly effect: Effect | undefined;
  /** Finds the request in the log of the service. */
  readonly requestId: string | undefined;
  /** What else the service said: `expected` and `winner` of a conflict, `earliest` of what was trimmed. */
  readonly details: Readonly<Record<string, unknown>>;
  declare readonly request: FailedRequest | undefined;
  declare readonly response: FailedResponse | undefined;

  constructor(code: ErrorCode, message: string, options: StreamkitErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.statusCode = options.statusCode;
    this.retryable = options.retryable ?? false;
    this.effect = options.effect;
    this.requestId = options.requestId;
    this.details = options.details ?? {};
    // Beside the error, not printed with it: a URL may hold what a log must not.
    Object.defineProperty(this, "request", { value: options.request, enumerable: false });
    Object.defineProperty(this, "response", { value: options.response, enumerable: false });
  }
}

/** Whether it is an error of this package, and one of these codes when there are some. */
export function isStreamkitError(error: unknown, ...codes: readonly ErrorCode[]): error is StreamkitError {
  if (!(error instanceof Error) || error.name !== "StreamkitError" || !("code" in error)) return false;
  return codes.length === 0 || codes.includes(error.code as ErrorCode);
}

/** The same failure with what is known now of what became of the write. */
export function withEffect(error: StreamkitError, effect: Effect): StreamkitError {
  const { code, message, statusCode, retryable, requestId, details, request, response, cause } = error;
  return new StreamkitError(code, message, {
    ...{ statusCode, retryable, requestId, details, request, response, cause, effect },
  });
}

/** The members of a problem document (RFC 9457) that are members of the error. */
const ownMembers = new Set(["type", "title", "status", "detail", "code", "retryable", "effect", "requestId"]);

/** What an answer that is not a success says: a problem document, or what a host or a gateway sends in its place. */
export function errorOfAnswer(
  text: string,
  request: FailedRequest,
  response: FailedResponse,
  isWrite: boolean,
): StreamkitError {
  const { status } = response;
  const common = { statusCode: status, request, response };
  const problem = problemIn(text);
  if (problem !== undefined) return errorOfProblem(problem, common, isWrite);
  const retryable = repeatedStatuses.has(status);
  return new StreamkitError(codeOf(status), `The answer was ${status}, without saying why.`, {
    ...common,
    retryable,
    effect: isWrite ? (retryable ? "unknown" : "none") : undefined,
  });
}

export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly [member: string]: unknown;
}

export function isProblem(value: unknown): value is Problem {
  if (typeof value !== "object" || value === null) return false;
  return "code" in value && typeof value.code === "string" && "detail" in value && typeof value.detail === "string";
}

export function errorOfProblem(problem: Problem, common: StreamkitErrorOptions, isWrite: boolean): StreamkitError {
  const { code, detail, retryable, effect, requestId, status } = problem;
  const details = Object.fromEntries(Object.entries(problem).filter(([name]) => !ownMembers.has(name)));
  return new StreamkitError(code, detail, {
    ...common,
    statusCode: common.statusCode ?? (typeof status === "number" ? status : undefined),
    retryable: retryable === true,
    effect: isWrite ? ((effect as Effect | undefined) ?? "none") : undefined,
    requestId: typeof requestId === "string" ? requestId : undefined,
    details,
  });
}

/** Statuses that say nothing of the request, whoever sends them: a gateway's, a host's. */
const repeatedStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

function codeOf(status: number): ErrorCode {
  switch (status) {
    // The host itself refuses some requests, such as a name with a zero byte, and says no more.
    case 400:
      return "invalid_argument";
    case 401:
      return "unauthenticated";
    case 403:
      return "permission_denied";
    case 404:
      return "not_found";
    default:
      return "unexpected_answer";
  }
}

function problemIn(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isProblem(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
