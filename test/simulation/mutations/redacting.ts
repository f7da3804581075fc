// Mistakes in redactions, and of whoever works from a picture that is older than one.

import type { Mutation, Patch } from "./mutation.ts";
import { azure } from "./mutation.ts";

const redacting = (name: string, seeds: number, mistake: string, ...patches: Patch[]): Mutation => ({
  name,
  mistake,
  seeds,
  play: "redactions",
  patches,
});

export const redactingMistakes: readonly Mutation[] = [
  redacting(
    "applier-writes-back",
    40,
    "an applier that writes without condition, and brings a redacted block back",
    azure(
      "apply/applier",
      '{ kind: "replace", row, properties, ifMatch: etag },',
      '{ kind: "replace", row, properties, ifMatch: "*" },',
    ),
    azure(
      "apply/applier",
      'writes.push({ kind: "insert", row: blockRow(head.lastSequence), properties: block.properties });',
      'writes.push({ kind: "upsert", row: blockRow(head.lastSequence), properties: block.properties });',
    ),
  ),
  redacting(
    "log-not-redacted",
    40,
    "entries redacted in their segment and left in the log",
    azure(
      "delete/redact",
      "for (const { timestamp } of holders) await insist(this.#deps, () => this.#redactRecord(timestamp, gone));",
      "",
    ),
  ),
  redacting(
    "copy-of-the-last-left",
    40,
    "the last entry redacted in its block, and left in the segment's head",
    azure(
      "delete/redact",
      "const lastEntry = gone.has(head.lastSequence) ? undefined : lastEntryOf(headRow);",
      "const lastEntry = lastEntryOf(headRow);",
    ),
  ),
  redacting(
    "merged-from-before-it",
    40,
    "rows of a log merged as they were before a redaction, without the ETag of the last",
    azure(
      "compact/compact",
      '{ kind: "replace", row: last.row.row, properties, ifMatch: last.row.etag },',
      '{ kind: "upsert", row: last.row.row, properties },',
    ),
  ),
];
