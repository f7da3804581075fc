// Mistakes in applying what is committed, in telling of it, and in writing off what is done.

import type { Mutation } from "./mutation.ts";
import { azure, mutation } from "./mutation.ts";

export const applying: readonly Mutation[] = [
  mutation(
    "no-help",
    300,
    "no help for earlier pending",
    azure(
      "apply/segment-queue",
      "if (numberBefore(item.transaction) !== last ||",
      "if (!item.record.isOwn) break;\n      if (numberBefore(item.transaction) !== last ||",
    ),
  ),
  mutation(
    "finished-only-by-who-waits",
    600,
    "a record is done only when the one who waits for its segment says so",
    azure("apply/applier", "for (const record of queue.reached(head)) this.#finish(record);", "queue.reached(head);"),
  ),
  mutation(
    "apply-unconditional",
    50,
    "apply without condition",
    azure(
      "apply/applier",
      `etag === undefined ? { kind: "insert", row, properties } : { kind: "replace", row, properties, ifMatch: etag },`,
      `{ kind: "upsert", row, properties },`,
    ),
    azure("apply/applier", `{ kind: "insert", row: blockRow(`, `{ kind: "upsert", row: blockRow(`),
  ),
  mutation(
    "inventory-by-the-creator",
    50,
    "inventory only by the head's creator",
    azure(
      "apply/segment-queue",
      "this.listed = numberBefore(transaction) !== 0;",
      "this.listed = transaction.number !== 1 || !record.isOwn;",
    ),
  ),
];

export const owning: readonly Mutation[] = [
  mutation(
    "min-from-memory",
    50,
    "a segment is read with a `min` that this instance's knowledge of the log does not go to",
    azure("space/space-writer", "if (!isThere()) await appender.refresh();", "if (!isThere()) return true;"),
  ),
  mutation(
    "min-before-the-apply",
    50,
    "a segment is read with a `min` while what is pending in it is still on its way",
    azure(
      "space/space-writer",
      "if (last !== undefined) await applier.ensure(segment, last.transaction.number);\n      return true;",
      "void last;\n      return true;",
    ),
  ),
];

export const settling: readonly Mutation[] = [
  mutation(
    "settled-before-apply",
    50,
    "settle before apply",
    azure(
      "append/appender",
      "for (const { summary } of records) turns.seen(summary.node);",
      "for (const { summary } of records) this.#parts.done.applied.add(summary.timestamp);",
    ),
  ),
  mutation(
    "settled-from-own-list",
    50,
    "settle from an own view of the list",
    azure(
      "append/appender",
      "const head = nextHead(version.head, attempt, settling, unnotifiedListedMax, options);",
      `const full = nextHead(version.head, attempt, settling, unnotifiedListedMax, options);
    const own = new Set([...applier.pendingRecords].flatMap(({ isOwn, summary }) => (isOwn ? [summary.timestamp] : [])));
    const listed = full.unapplied.listed.filter((one) => one === attempt.record.timestamp || own.has(one));
    const head = { ...full, unapplied: { ...full.unapplied, listed } };`,
    ),
  ),
  mutation(
    "settled-unconditionally",
    50,
    "settle without condition",
    azure(
      "append/commit",
      "properties: encodeLogHead(head), ifMatch: etag }",
      `properties: encodeLogHead(head), ifMatch: "*" }`,
    ),
  ),
  mutation(
    "overflow-forgotten",
    300,
    "what the list of untold records cannot hold is forgotten",
    azure("rows/pending", "from: to > from ? from : oldest - 1,", "from: to > from ? from : oldest,"),
  ),
  mutation(
    "range-told-as-far-as-read",
    300,
    "a range of untold records is written off as far as it was read",
    azure(
      "monitor/overdue-notifications",
      "through = inRange[notified - 1]?.summary.timestamp ?? through;",
      "through = inRange.at(-1)?.summary.timestamp ?? through;",
    ),
  ),
  mutation(
    "told-without-the-queue",
    50,
    "a status message that failed is taken as sent",
    azure(
      "space/notifications",
      "await notifier.notify({ store, space, statuses });",
      "await notifier.notify({ store, space, statuses }).catch(() => undefined);",
    ),
  ),
  mutation(
    "told-while-on-its-way",
    50,
    "what was applied while a status message was on its way is taken as told by it",
    azure(
      "space/notifications",
      "for (const { timestamp } of tellable) done.notified.add(timestamp);",
      "for (const { timestamp } of [...tellable, ...done.untold.splice(0)]) done.notified.add(timestamp);",
    ),
  ),
  mutation(
    "first-of-merged-told",
    50,
    "of records that are told of together the first of a segment is told, not the furthest",
    azure(
      "space/notifications",
      "if (head === undefined || lastSequence < (statuses.get(segment)?.lastSequence ?? 0)) continue;",
      "if (head === undefined || statuses.has(segment)) continue;",
    ),
  ),
  mutation(
    "last-of-merged-told",
    600,
    "of records that are told of together the one that was applied last is told, not the furthest",
    azure(
      "space/notifications",
      "if (head === undefined || lastSequence < (statuses.get(segment)?.lastSequence ?? 0)) continue;",
      "if (head === undefined) continue;",
    ),
  ),
];
