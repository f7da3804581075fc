// Paths: from a template and its parameters to a URL's path and back. Names are read from the raw path. And queries: read as strictly,
// where URLSearchParams would put other characters for bytes that are none.
//
// Promise: a `/` in a name arrives as one, whether it was sent as `%2F` or `%252F`. The Functions host leaves `%2F` as it is and encodes
// its `%` once more, so that both reach the app as `%252F`; where no host is in between they differ. No name has a `%`.

import { invalidArgument } from "../core/errors.ts";

/** `/v1/stores/{store}/spaces`: literals and `{parameters}`, each a whole step of the path. */
export type PathTemplate = `/${string}`;

/** The parameters as text, decoded; undefined when the path is another. Literals match in any case, as routes of the host do. */
export function matchPath(template: PathTemplate, rawPath: string): ReadonlyMap<string, string> | undefined {
  const wanted = template.slice(1).split("/");
  const steps = rawPath.slice(1).split("/");
  if (steps.length === wanted.length + 1 && steps.at(-1) === "") steps.pop();
  if (!rawPath.startsWith("/") || steps.length !== wanted.length) return undefined;
  const raw = new Map<string, string>();
  for (const [index, step] of steps.entries()) {
    const part = wanted[index] ?? "";
    if (part.startsWith("{")) raw.set(part.slice(1, -1), step);
    else if (part.toLowerCase() !== step.toLowerCase()) return undefined;
  }
  const parameters = new Map<string, string>();
  for (const [name, step] of raw) parameters.set(name, decodeText(name, step).replaceAll(/%2F/gi, "/"));
  return parameters;
}

export function formatPath(template: PathTemplate, parameters: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    const value = parameters[name];
    if (value === undefined) throw invalidArgument(name, "a value");
    return encodeURIComponent(value);
  });
}

/** The parameters of `?a=1&b=2`, in their order. `ignored`, in any case, is left out whatever its value is. */
export function* queryPairs(search: string, ignored: string): Generator<readonly [string, string], void, undefined> {
  for (const pair of search.replace(/^\?/, "").replaceAll("+", " ").split("&")) {
    if (pair === "") continue;
    const [rawName = "", ...rest] = pair.split("=");
    const name = decodeText("query", rawName);
    if (name.toLowerCase() !== ignored) yield [name, decodeText(name, rest.join("="))];
  }
}

function decodeText(name: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument(name, "percent-encoded UTF-8", text);
  }
}
