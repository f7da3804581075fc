// The id of an event: where its reader is, and how much of its limit is left, so that a client that reconnects by itself gets no more
// than it asked for.

/** What a client gave back as `Last-Event-ID`. */
export interface ResumedAt {
  /** The place as its reading wrote it. */
  readonly place: string;
  /** Entries of the limit that were not sent yet; undefined: there is no limit. */
  readonly left: number | undefined;
}

/** Never empty: a client forgets an empty id, and would begin again. */
export function eventIdOf({ place, left }: ResumedAt): string {
  if (left !== undefined) return `${place}.${left}`;
  return place === "" ? "." : place;
}

/** Undefined for a client that begins. Whether the place is one, its reading decides. */
export function parseEventId(header: string | undefined): ResumedAt | undefined {
  if (header === undefined || header === "") return undefined;
  const [, place = header, left = ""] = /^([^.]*)\.([0-9]{0,16})$/.exec(header) ?? [];
  return { place, left: left === "" ? undefined : Number(left) };
}
