// How a reader wants its entries: how payloads look, and which members it needs.

import type { Encoding } from "./payload.ts";

/** The members of an entry that a reader may ask for, or leave out. `encoding` comes and goes with the payload. */
export const entryFields = [
  "sequence",
  "timestamp",
  "trx",
  "payload",
  "metadata",
  "space",
  "segment",
  "offset",
] as const;
export type EntryField = (typeof entryFields)[number];

/** How a reader wants its entries. */
export interface EntryForm {
  readonly encoding: Encoding;
  /** Undefined: all of them. */
  readonly fields?: ReadonlySet<EntryField> | undefined;
}
