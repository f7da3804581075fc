// The paths and queries of calls. Names are encoded here and nowhere else.

export type QueryValue = string | number | boolean | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

/** `/` is encoded twice: that gets through front ends that answer `%2F` with 404, and means the same. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll("%2F", "%252F");
}

export function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
