// Mistakes in knowing the log, and in answering what it says.

import type { Mutation } from "./mutation.ts";
import { azure, mutation, played } from "./mutation.ts";

export const knowing: readonly Mutation[] = [
  mutation(
    "segment-read-before-log",
    50,
    "segment head read before the log head",
    azure(
      "append/appender",
      "if (state.version === undefined || this.#stale || mayBeBack || this.#refreshing.length > 0) await this.#catchUp();",
      `loader.load(queue.waiting);
    if (state.version === undefined || this.#stale || mayBeBack || this.#refreshing.length > 0) await this.#catchUp();`,
    ),
    azure("append/log-state", "this.#views.clear();", "if (this.#version !== undefined) this.#views.clear();"),
  ),
  mutation(
    "pending-not-overlaid",
    50,
    "no overlay of pending",
    azure("append/log-state", "new SegmentView(pending,", "new SegmentView([],"),
  ),
  mutation(
    "prefetch-not-overlaid",
    500,
    "no overlay of the records since a prefetch began",
    azure(
      "append/log-state",
      `this.#note(place);
    if (this.#state === undefined) return true;`,
      `if (this.#state === undefined) return true;
    this.#note(place);`,
    ),
  ),
  mutation(
    "refresh-without-count",
    300,
    "refresh without the check of n: records read before the head, or a page cut short",
    azure("log/log-reader", "if (between.length === missing)", "if (between.length <= missing)"),
  ),
  mutation(
    "cache-dropped-early",
    1000,
    "cache dropped before the version moves",
    azure(
      "append/catch-up",
      "serviceClock.learn(to.serviceTime);\n  const pending",
      "serviceClock.learn(to.serviceTime);\n    state.dropViews();\n    const pending",
    ),
    azure("append/log-state", "this.#views.clear();", ""),
    azure(
      "append/log-state",
      "  sent(attempt: Attempt): void {",
      `  dropViews(): void {
    this.#views.clear();
  }

  sent(attempt: Attempt): void {`,
    ),
  ),
  mutation(
    "cache-kept-over-a-gap",
    50,
    "views kept when the version moves a way that is not known",
    azure("append/log-state", "this.#views.clear();", ""),
  ),
  mutation(
    "journal-trimmed",
    300,
    "a journal that got too long cut short instead of dropped with its view",
    azure(
      "append/log-state",
      "if (!view.fold(place) || view.journalLength > this.#options.viewJournalMax) this.#views.delete(segment);",
      `if (!view.fold(place)) this.#views.delete(segment);
    else if (view.journalLength > this.#options.viewJournalMax) view.trim();`,
    ),
    azure(
      "append/log-state",
      "  /** How many transactions it remembers, and itself. */",
      `  trim(): void {
    const cut = this.#journal.shift();
    if (cut !== undefined) this.#byId.delete(cut.id);
  }

  /** How many transactions it remembers, and itself. */`,
    ),
  ),
  mutation(
    "pending-forgotten-at-start",
    50,
    "what a head lists as pending not read by who starts from it",
    azure("append/log-state", "of pending) {", "of [] as typeof pending) {"),
  ),
  mutation(
    "storage-back-as-damage",
    50,
    "a log that is shorter than remembered is taken for damage",
    azure(
      "append/catch-up",
      "await reader.checkLast(since.to.head);",
      'throw new StoreError("corrupt_data", "shorter");',
    ),
  ),
  mutation(
    "storage-back-by-count-alone",
    600,
    "a log that was rewritten up to the same count is taken for the one that is remembered",
    azure("log/log-reader", "return to.head.recordId === recordId ? {", "return to.head.count === count ? {"),
  ),
];

export const answering: readonly Mutation[] = [
  mutation(
    "refused-on-cache",
    50,
    "refuse on cached knowledge",
    azure("append/appender", "const now = await this.#deps.readHead();", "const now = await Promise.resolve(version);"),
  ),
  mutation(
    "refused-on-group-mates",
    50,
    "refuse on group-mates that are not committed",
    azure(
      "append/appender",
      "state.sent(attempt);",
      'answer(this.#parts, new Map([...verdicts].filter(([, { kind }]) => kind === "conflict")), "commit");\n    state.sent(attempt);',
    ),
  ),
  mutation(
    "told-without-proof",
    50,
    "told before what the verdict requires is proved",
    azure("append/answers", "if (!proves[proof].includes(verdict.requires)) continue;", ""),
  ),
  mutation(
    "proof-before-loads",
    500,
    "refuse on a proof older than the loads",
    azure(
      "append/appender",
      "registration.registered(state.version).catch(() => undefined);",
      `registration.registered(state.version).catch(() => undefined);
    Object.assign(this, { proof: await this.#parts.reader.readHead() });`,
    ),
    azure(
      "append/appender",
      "const now = await this.#deps.readHead();",
      "const now = (this as unknown as { proof: LogVersion }).proof;",
    ),
  ),
  mutation(
    "duplicate-of-group-mate",
    50,
    "duplicate answered from tentative state",
    azure("append/plan", 'asRepeat(results, "commit")', 'asRepeat(results, "nothing")'),
  ),
  mutation(
    "duplicate-before-apply",
    50,
    "duplicate answered before its apply",
    azure("space/space-writer", `if (ack === "applied") {`, `if (ack === "applied" && !produced.duplicate) {`),
  ),
  mutation(
    "duplicate-ahead-of-log",
    500,
    "duplicate answered on a segment that was read ahead of the log: without its inventory, or as a mismatch",
    azure("append/plan", "if (timestamp > this.#input.logTimestamp)", "if (timestamp < 0)"),
  ),
  mutation(
    "duplicate-by-id-alone",
    50,
    "duplicates by id without content",
    azure(
      "append/plan",
      "(place.digest === part.digest || place.digest === redactedDigest) &&\n    place.lastSequence - place.firstSequence + 1 === part.records.length &&",
      "",
    ),
  ),
  mutation(
    "applied-without-inventory",
    50,
    "acknowledged as applied before the inventory has its row",
    azure(
      "apply/applier",
      "await Promise.all([this.#reach(queue, transactionNumber), space, ...listed]);",
      "Promise.all([space, ...listed]).catch(() => undefined);\n    await this.#reach(queue, transactionNumber);",
    ),
  ),
  mutation(
    "space-listed-by-its-first-writer",
    300,
    "acknowledged as applied while the space's own row is somebody else's to write",
    azure(
      "apply/applier",
      "this.#inventory.listSpace(opening)",
      "needed.some(({ record }) => record === opening) ? this.#inventory.listSpace(opening) : Promise.resolve()",
    ),
  ),
  mutation(
    "winner-looked-up-once",
    500,
    "the winner looked up without the second read of the block",
    azure(
      "append/winner",
      `inPending(deps, segment, sequence) ??
    (await inBlocks(deps, segment, sequence))`,
      "inPending(deps, segment, sequence)",
    ),
  ),
  played(
    "later view",
    "look-up-in-a-later-view",
    "an id look-up's answer put into a later view",
    azure(
      "append/view-loader",
      "view.foundById(id, row === undefined",
      "(this.#deps.state.view(segment) ?? view).foundById(id, row === undefined",
    ),
  ),
  played(
    "crowd",
    "stuck-take-the-list",
    "stuck segments may fill the log's list",
    azure(
      "append/queue",
      "return unapplied >= 1 || !health.hasAnsweredSince(segment, Math.max(since, lately));",
      "return unapplied >= this.#options.pendingPerSegmentMax || lately > Infinity || health.isDown(segment);",
    ),
  ),
  played(
    "crowd",
    "stuck-not-refused",
    "a produce to a segment that is known to be stuck waits like any other",
    azure(
      "append/appender",
      "if (!applier.health.isStuck(segment) && !loader.isStuck(segment)) continue;",
      "if (applier.pendingIn(segment).length >= 0) continue;",
    ),
  ),
];
