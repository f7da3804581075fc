// What a request asks for, as the host reads it: limits of the line and the headers, and the path as it is matched and
// passed on. Promise: pure; what the host answers by itself has its status here.

import type { IncomingMessage } from "node:http";

/** Of the host's server (Kestrel). */
export const lineBytesMax = 8_192;
export const headerBytesMax = 32_768;
const headersMax = 100;

export type Target =
  /** Decoded but for `%2F`, without dots; and as the host passes it on: the same, encoded. */
  | { readonly kind: "path"; readonly path: string; readonly passedOn: string; readonly search: string }
  | { readonly kind: "refused"; readonly status: number };

export function readTarget(request: Pick<IncomingMessage, "method" | "url" | "headers" | "rawHeaders">): Target {
  const { method = "GET", url = "/", headers, rawHeaders } = request;
  if (`${method} ${url} HTTP/1.1`.length > lineBytesMax) return refused(414);
  if (rawHeaders.length / 2 > headersMax) return refused(431);
  // With ": " and the end of each line.
  const headerBytes = rawHeaders.reduce((sum, part) => sum + part.length + 2, 0);
  if (headerBytes > headerBytesMax) return refused(431);
  if (/[^\x21-\x7e]/.test(url)) return refused(400);
  const [, authority, raw = "/", search = ""] = /^(?:[a-z][a-z0-9+.-]*:\/\/([^/?]*))?([^?]*)(\?.*)?$/i.exec(url) ?? [];
  if (authority !== undefined && !isSameHost(authority, headers.host)) return refused(400);
  if (/%00/.test(raw)) return refused(400);
  if (raw.startsWith("//")) return refused(404);
  const path = withoutDots(decodePath(raw.replaceAll("\\", "/")));
  return { kind: "path", path, passedOn: encodePath(path), search };
}

/** A target with a scheme names the host, too: the same as the header, if there is one. */
function isSameHost(authority: string, header: string | undefined): boolean {
  const named = hostOf(authority.replace(/^.*@/, ""));
  return named !== undefined && (header === undefined || named === hostOf(header));
}

/** In the form that browsers give it. */
function hostOf(text: string): string | undefined {
  return URL.canParse(`http://${text}`) ? new URL(`http://${text}`).host : undefined;
}

function refused(status: number): Target {
  return { kind: "refused", status };
}

/** `%2F` stays as it is and so cannot be told from a name that holds the text "%2F"; broken escapes stay too. */
function decodePath(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    escapes
      .split(/(%2F)/i)
      .map((run) => (/^%2F$/i.test(run) ? run : decodeOrKeep(run)))
      .join(""),
  );
}

function decodeOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `/a/../b` is `/b`, and nothing is above the top. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  const steps = path.split("/").slice(1);
  for (const [index, step] of steps.entries()) {
    const isDots = step === "." || step === "..";
    if (step === "..") kept.pop();
    if (!isDots) kept.push(step);
    else if (index === steps.length - 1) kept.push("");
  }
  return `/${kept.join("/")}`;
}

/** A `%` that was left is encoded like any other character: what came as `%2F` goes on as `%252F`. */
function encodePath(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]+/g, (text) => encodeURIComponent(text.toWellFormed()));
}
