// What a page of another origin gets to see of an answer.

/** Those that any page sees, by the Fetch standard. */
const safelisted = ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified"];
/** For browsers and what stands between, not for pages. */
const forOthers = [
  "content-encoding",
  "content-security-policy",
  "vary",
  "x-accel-buffering",
  "x-content-type-options",
];

/** The names of headers that a page would want, and does not get. */
export function hiddenFromPages(headers: Readonly<Record<string, string>>): readonly string[] {
  const exposed = (headers["access-control-expose-headers"] ?? "").split(",").map((name) => name.trim());
  const known = new Set([...safelisted, ...forOthers, ...exposed]);
  return Object.keys(headers).filter((name) => !known.has(name) && !name.startsWith("access-control-"));
}
