// The one place that knows what an error of the table service means: for single operations, for EGTs, for the network.
//
// Promise: it decides by status and code alone. Of a human message it reads only the index that leads those of an EGT,
// which the service documents. In doubt a write's effect is `unknown`.

import { TableFailure, type Refusal, type TableFailureKind } from "./port.ts";
import { parseODataError } from "./odata.ts";

export type Operation = "read" | "write";

/** An answer that is no success: of a request, or of the failing part of an EGT. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: string;
  /** The value of the Retry-After header. */
  readonly retryAfterMs: number | undefined;
}

export type Verdict =
  /** `index`: the operation of an EGT, where the answer tells. */
  | { readonly kind: "refused"; readonly reason: Refusal; readonly index: number | undefined }
  | { readonly kind: "table_exists" }
  | { readonly kind: "failed"; readonly failure: TableFailure };

/** A deleted table keeps its name for at least 40 seconds; asking more often than this is of no use. */
const beingDeletedRetryMs = 10_000;

/** Classifies an answer with an error status. */
export function classifyAnswer(answer: ErrorAnswer, operation: Operation): Verdict {
  const { code, message } = parseODataError(answer.body);
  const index = /^(\d{1,3}):/.exec(message)?.[1];
  const refused = (reason: Refusal): Verdict => ({
    kind: "refused",
    reason,
    index: index === undefined ? undefined : Number(index),
  });
  switch (code) {
    case "EntityAlreadyExists":
      return refused("exists");
    case "UpdateConditionNotSatisfied":
    case "ConditionNotMet":
      return refused("changed");
    case "ResourceNotFound":
    case "EntityNotFound":
      return refused("missing");
    case "TableNotFound":
      return refused("table_missing");
    case "TableAlreadyExists":
      return { kind: "table_exists" };
    default:
      return { kind: "failed", failure: failureOf(answer, code, operation) };
  }
}

/** The table is on its way out already. */
export function isBeingDeleted({ body }: { readonly body: string }): boolean {
  return parseODataError(body).code === "TableBeingDeleted";
}

/** Classifies an error that came instead of an answer. */
export function classifyThrown(error: unknown, operation: Operation): TableFailure {
  const { code, name } = namesOf(error);
  if (credentialErrors.has(name)) {
    return new TableFailure("denied", `No credential for the storage account (${name}).`, {
      effect: "none",
      cause: error,
    });
  }
  const sent = !neverSent.has(code);
  return new TableFailure("unavailable", `The storage account did not answer (${code === "" ? name : code}).`, {
    effect: operation === "write" && sent ? "unknown" : "none",
    cause: error,
  });
}

/** A success whose content is not what the service documents: whatever answered, it is not to be trusted. */
export function unreadableAnswer(what: string, operation: Operation): TableFailure {
  return new TableFailure("unavailable", `An answer that cannot be the table service's: ${what}.`, {
    effect: effectOf(operation),
  });
}

/** `sent`: whether the request may have left. */
export function timedOut(timeoutMs: number, operation: Operation): TableFailure {
  return new TableFailure("timeout", `No answer of the storage account within ${timeoutMs} ms.`, {
    effect: effectOf(operation),
  });
}

export function aborted(effect: "none" | "unknown", cause: unknown): TableFailure {
  return new TableFailure("aborted", "The caller gave the request up.", { effect, cause });
}

/** The seconds of a Retry-After header; its other form, a date, is not used by the service. */
export function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined;
}

function failureOf(answer: ErrorAnswer, code: string | undefined, operation: Operation): TableFailure {
  const [kind, mayHaveHappened] = kindOf(answer.status, code);
  const after = code === "TableBeingDeleted" ? (answer.retryAfterMs ?? beingDeletedRetryMs) : answer.retryAfterMs;
  return new TableFailure(kind, `The table service answered ${answer.status} ${code ?? "without a code"}.`, {
    effect: mayHaveHappened ? effectOf(operation) : "none",
    retryAfterMs: after,
  });
}

/** And whether a write may have happened in spite of it. */
function kindOf(status: number, code: string | undefined): readonly [TableFailureKind, boolean] {
  const known = code === undefined ? undefined : kindsByCode.get(code);
  if (known !== undefined) return known;
  if (status === 429) return ["throttled", false];
  if (status === 408) return ["timeout", true];
  if (status === 401 || status === 403) return ["denied", false];
  if (status === 413) return ["too_large", false];
  // The service gives a code with each refusal: what has none, such as a redirection, is another's.
  if (code === undefined) return ["unavailable", true];
  // Anything that is neither a refusal nor the service's own trouble is a mistake of ours.
  return status >= 300 && status < 500 ? ["rejected", false] : ["unavailable", true];
}

const kindsByCode: ReadonlyMap<string, readonly [TableFailureKind, boolean]> = new Map([
  ["ServerBusy", ["throttled", true]],
  ["OperationTimedOut", ["timeout", true]],
  ["TableBeingDeleted", ["unavailable", false]],
  ["EntityTooLarge", ["too_large", false]],
  ["PropertyValueTooLarge", ["too_large", false]],
  ["RequestBodyTooLarge", ["too_large", false]],
  ["TooManyProperties", ["too_large", false]],
]);

/** The names of the errors of `@azure/identity`. */
const credentialErrors = new Set([
  "AuthenticationError",
  "AuthenticationRequiredError",
  "AggregateAuthenticationError",
  "CredentialUnavailableError",
]);

/** Only what a connection attempt alone can end in. */
const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"]);

function effectOf(operation: Operation): "none" | "unknown" {
  return operation === "write" ? "unknown" : "none";
}

function namesOf(error: unknown): { readonly code: string; readonly name: string } {
  if (!(error instanceof Error)) return { code: "", name: "error" };
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return { code, name: error.name };
}
