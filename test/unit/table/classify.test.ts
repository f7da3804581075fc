import { expect, test } from "vitest";
import {
  classifyAnswer,
  classifyThrown,
  retryAfterMs,
  type Operation,
  type Verdict,
} from "../../../src/table/classify.ts";

function answered(status: number, code?: string, message = "some words", operation: Operation = "write"): Verdict {
  const body =
    code === undefined ? "<html></html>" : JSON.stringify({ "odata.error": { code, message: { value: message } } });
  return classifyAnswer({ status, body, retryAfterMs: undefined }, operation);
}

function failure(verdict: Verdict): object {
  if (verdict.kind !== "failed") throw new Error(verdict.kind);
  const { kind, effect, retryAfterMs: after } = verdict.failure;
  return { kind, effect, ...(after === undefined ? {} : { after }) };
}

test.each([
  [409, "EntityAlreadyExists", "exists"],
  [412, "UpdateConditionNotSatisfied", "changed"],
  [412, "ConditionNotMet", "changed"],
  [404, "ResourceNotFound", "missing"],
  [404, "EntityNotFound", "missing"],
  [404, "TableNotFound", "table_missing"],
])("%i %s is the refusal %s", (status, code, reason) => {
  expect(answered(status, code)).toEqual({ kind: "refused", reason, index: undefined });
});

test("the index that leads the message of an EGT's error is its operation", () => {
  const refused = answered(
    412,
    "UpdateConditionNotSatisfied",
    "17:The update condition was not satisfied.\nRequestId:1",
  );
  expect(refused).toEqual({ kind: "refused", reason: "changed", index: 17 });
});

test.each<[number, string | undefined, string, string]>([
  [429, "TooManyRequests", "throttled", "none"],
  [503, "ServerBusy", "throttled", "unknown"],
  [500, "ServerBusy", "throttled", "unknown"],
  [500, "InternalError", "unavailable", "unknown"],
  [500, "OperationTimedOut", "timeout", "unknown"],
  [502, undefined, "unavailable", "unknown"],
  [503, undefined, "unavailable", "unknown"],
  [504, undefined, "unavailable", "unknown"],
  [408, undefined, "timeout", "unknown"],
  [401, "InvalidAuthenticationInfo", "denied", "none"],
  [403, "AuthenticationFailed", "denied", "none"],
  [413, "RequestBodyTooLarge", "too_large", "none"],
  [400, "EntityTooLarge", "too_large", "none"],
  [400, "PropertyValueTooLarge", "too_large", "none"],
  [400, "InvalidInput", "rejected", "none"],
  [404, undefined, "unavailable", "unknown"],
  [302, undefined, "unavailable", "unknown"],
  [400, undefined, "unavailable", "unknown"],
  [409, "SomethingElse", "rejected", "none"],
  [301, undefined, "unavailable", "unknown"],
])("a write answered %i %s is %s, effect %s", (status, code, kind, effect) => {
  expect(failure(answered(status, code))).toEqual({ kind, effect });
});

test("a read has no effect, whatever fails", () => {
  for (const status of [408, 429, 500, 503, 400]) {
    expect(failure(answered(status, "Any", "words", "read"))).toMatchObject({ effect: "none" });
  }
  expect(classifyThrown(new Error("x"), "read").effect).toBe("none");
});

test("a table that is being deleted is unavailable, and says when to come back", () => {
  expect(failure(answered(409, "TableBeingDeleted"))).toEqual({ kind: "unavailable", effect: "none", after: 10_000 });
});

test("Retry-After is passed on", () => {
  const verdict = classifyAnswer({ status: 503, body: "", retryAfterMs: retryAfterMs("3") }, "write");
  expect(failure(verdict)).toMatchObject({ after: 3_000 });
  for (const header of [undefined, "", "soon", "-1", "Fri, 31 Dec 1999 23:59:59 GMT"]) {
    expect(retryAfterMs(header)).toBeUndefined();
  }
});

test.each([
  ["ECONNREFUSED", "none"],
  ["ENOTFOUND", "none"],
  ["EAI_AGAIN", "none"],
  ["ECONNRESET", "unknown"],
  ["EPIPE", "unknown"],
  ["ETIMEDOUT", "unknown"],
  ["PARSE_ERROR", "unknown"],
])("a write that ends in %s has effect %s", (code, effect) => {
  const cause = Object.assign(new Error("words"), { code });
  expect(classifyThrown(cause, "write")).toMatchObject({ kind: "unavailable", effect, cause });
});

test("no credential is denied, and nothing was sent", () => {
  const cause = Object.assign(new Error("words"), { name: "CredentialUnavailableError" });
  expect(classifyThrown(cause, "write")).toMatchObject({ kind: "denied", effect: "none" });
});
