// The findings of a check, in words that a person understands, and what can be done about them.
//
// Promise: a finding is a disagreement between stored rows that holds whatever writers did meanwhile; pending work is
// counted, not found.

import type { StoreError } from "../../../core/errors.ts";
import { NewerFormat } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";

/** The invariant of the storage protocol that a finding breaks: see docs/architecture.md. */
export type Invariant = "I2" | "I3" | "I5" | "I6";

/**
 * `live`: rebuilt from the log beside live writers, every write conditional. `offline`: writers may act on what is
 * wrong, so it is rebuilt only when none runs. `none`: the log itself is damaged; nothing else says what it held.
 */
export type Remedy = "live" | "offline" | "none";

const kinds = {
  log_head_missing: ["I3", "offline"],
  log_head_differs: ["I3", "offline"],
  record_missing: ["I3", "none"],
  record_unreadable: ["I6", "none"],
  record_differs: ["I3", "none"],
  sequence_fork: ["I2", "none"],
  pending_unknown: ["I5", "offline"],
  apply_overdue: ["I5", "live"],
  notify_overdue: ["I5", "none"],
  log_not_open: ["I5", "live"],
  segment_head_missing: ["I6", "offline"],
  segment_head_differs: ["I6", "offline"],
  segment_beyond_log: ["I6", "offline"],
  segment_behind: ["I5", "live"],
  last_entry_differs: ["I6", "live"],
  block_missing: ["I2", "live"],
  block_unreadable: ["I6", "live"],
  block_differs: ["I6", "live"],
  block_extra: ["I2", "live"],
  tombstone_needless: ["I6", "live"],
  id_missing: ["I6", "live"],
  id_differs: ["I6", "live"],
  id_extra: ["I6", "live"],
  producer_differs: ["I6", "live"],
  row_unknown: ["I6", "none"],
  row_newer: ["I6", "none"],
  space_unlisted: ["I5", "live"],
  segment_unlisted: ["I5", "live"],
  name_extra: ["I6", "live"],
  name_unreadable: ["I6", "none"],
} as const satisfies Record<string, readonly [Invariant, Remedy]>;

export type FindingKind = keyof typeof kinds;

export interface Finding {
  readonly kind: FindingKind;
  readonly invariant: Invariant;
  readonly remedy: Remedy;
  readonly space: SpaceName | undefined;
  readonly segment: SegmentName | undefined;
  /** A sentence without the names of space and segment. */
  readonly message: string;
}

/** Where a check is: takes what it finds there. */
export class Findings {
  readonly list: Finding[] = [];
  readonly #space: SpaceName | undefined;

  constructor(space?: SpaceName) {
    this.#space = space;
  }

  add(kind: FindingKind, message: string, segment?: SegmentName): void {
    const [invariant, remedy] = kinds[kind];
    this.list.push({ kind, invariant, remedy, space: this.#space, segment, message });
  }

  /**
   * `what` cannot be read: it is damaged, which is of this kind, or of a later format, which is not for this version to
   * judge.
   */
  addUnread(kind: FindingKind, what: string, error: StoreError, segment?: SegmentName): void {
    this.add(unreadKind(kind, error), `${what} cannot be read: ${error.message}`, segment);
  }
}

export function unreadKind<Kind extends FindingKind>(kind: Kind, error: StoreError): Kind | "row_newer" {
  return error instanceof NewerFormat ? "row_newer" : kind;
}

/** `space "orders", segment "order-1": ... (I2)` */
export function findingText({ space, segment, message, invariant }: Finding): string {
  const names = [
    ...(space === undefined ? [] : [`space ${JSON.stringify(space)}`]),
    ...(segment === undefined ? [] : [`segment ${JSON.stringify(segment)}`]),
  ];
  return `${names.join(", ")}${names.length > 0 ? ": " : ""}${message} (${invariant})`;
}

/** `5`, or `5 to 7`. */
export function rangeText(first: number, last: number): string {
  return first === last ? String(first) : `${first} to ${last}`;
}
