// Answers what no other endpoint takes: the root, methods that a path does not take, OPTIONS, and unknown paths.

import { StoreError } from "../core/errors.ts";
import { methodsOf, matchPath } from "../wire/operation.ts";
import { operations } from "../wire/operations.ts";
import { defaultStreamPath, streamOperations, streamPath } from "../wire/stream-calls.ts";
import type { PathTemplate } from "../wire/operation.ts";
import { readLinkPath } from "../wire/read-link.ts";
import { isPreflight, preflightHeaders } from "./every-answer.ts";
import { correlate } from "./request-metrics.ts";
import { docsFilePath, docsPath } from "./docs.ts";
import { emptyAnswer, refuse } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";

interface Served {
  readonly path: PathTemplate;
  readonly methods: readonly string[];
}

/** Names; what else is in a path is a UUID, or plain. */
const mayHaveSlash = new Set(["{space}", "{segment}", "{key}"]);

const pages: readonly PathTemplate[] = ["/", docsPath, docsFilePath, readLinkPath];
const served: readonly Served[] = [
  ...operations.map((operation) => ({ path: operation.path, methods: methodsOf(operation) })),
  ...streamOperations.flatMap((operation) =>
    [streamPath, defaultStreamPath].map((path) => ({ path, methods: methodsOf(operation) })),
  ),
  ...pages.map((path) => ({ path, methods: methodsOf({ method: "GET" }) })),
];

const everyMethod: readonly string[] = [...new Set([...served.flatMap(({ methods }) => methods), "OPTIONS"])];

export const fallback: Endpoint = (services, request) => {
  const { method } = request;
  const { pathname } = new URL(request.url);
  const { requestId } = correlate(request.headers, services.random);
  const common = { "x-request-id": requestId, "cache-control": "no-store" };
  // People begin at the root.
  if (pathname === "/" && (method === "GET" || method === "HEAD")) {
    return Promise.resolve({ status: 302, headers: { ...common, location: docsPath } });
  }
  const allowed = methodsAt(pathname);
  const isAsked = isPreflight(services.origins, request);
  if (method === "OPTIONS" && (isAsked || allowed.length > 0)) {
    // A preflight of a path that is none passes, so that the page reads the 404.
    const isNone = allowed.length === 0;
    const cors = isAsked ? preflightHeaders(request, isNone ? everyMethod : allowed) : {};
    const allow = isNone ? {} : { allow: allowed.join(", ") };
    return Promise.resolve({ ...emptyAnswer, headers: { ...common, ...allow, ...cors } });
  }
  return Promise.resolve(refuse(services, request, refusal(method, pathname, allowed)));
};

function refusal(method: string, pathname: string, allowed: readonly string[]): StoreError {
  // A known operation that comes here all the same is a function that the operator has disabled.
  if (allowed.length === 0 || allowed.includes(method)) return nothingAt(pathname);
  return new StoreError("method_not_allowed", `This path takes ${allowed.join(", ")}, not ${method}.`, {
    details: { allowed },
  });
}

function nothingAt(pathname: string): StoreError {
  const sentence = "There is nothing at this path; /openapi.json lists all there is.";
  // Two slashes in a row are no name that was split.
  const meant = pathname.includes("//") ? undefined : served.find(({ path }) => hasSplitName(path, pathname));
  const hint = meant === undefined ? "" : ` It has more parts than ${meant.path}: a / in a name is sent as %2F.`;
  return new StoreError("not_found", `${sentence}${hint}`);
}

/** None where there is nothing. */
function methodsAt(pathname: string): readonly string[] {
  const methods = served.filter(({ path }) => isAt(path, pathname)).flatMap((one) => one.methods);
  return methods.length === 0 ? [] : [...new Set([...methods, "OPTIONS"])];
}

function isAt(template: PathTemplate, pathname: string): boolean {
  try {
    // A name is never empty: hosts match no route then.
    const names = matchPath(template, pathname);
    return names !== undefined && ![...names.values()].includes("");
  } catch {
    return false;
  }
}

/** Whether it would be such a path if the parts that are too many were one name's. */
function hasSplitName(template: PathTemplate, pathname: string): boolean {
  const wanted = template.split("/");
  const parts = pathname.replace(/\/$/, "").split("/");
  const extra = parts.length - wanted.length;
  if (extra < 1) return false;
  return wanted.some((part, at) => {
    if (!mayHaveSlash.has(part)) return false;
    const name = parts.slice(at, at + extra + 1).join("%2F");
    return isAt(template, [...parts.slice(0, at), name, ...parts.slice(at + extra + 1)].join("/"));
  });
}
