// The paths and queries of calls. Names are encoded here and nowhere else.

/** A parameter is there once for each of several values. */
export type QueryValue = string | number | boolean | readonly string[] | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

/** `/` is encoded twice: that gets through front ends that answer `%2F` with 404, and means the same. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll("%2F", "%252F");
}

export function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value as readonly string[]) parameters.append(name, one);
    else if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
