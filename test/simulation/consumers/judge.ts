// What a consumer promises, held against everything that was written, said and told.

import { matchesSegment } from "../../../src/core/entry-filter.ts";
import type { EntryFilter } from "../../../src/core/entry-filter.ts";
import { partitionOf } from "../../../src/consumers/consumer.ts";
import { isWithin } from "../../../src/consumers/position.ts";
import type { Partition } from "../../../src/consumers/partition.ts";
import type { Call, Chain, Known, Ledger, Said, Told, Version } from "./ledger.ts";
import { isParked, isPassed, isSettled, versionAt, waitsBy } from "./ledger.ts";

/** What a clock of an instance may be off before it goes by the storage's, and an answer may be late. */
const clockMs = 7_000;

export interface Rules {
  readonly partitions: number;
  readonly filter: EntryFilter;
  readonly maxDeliveries: number;
}

/** What is wrong first; undefined: nothing. */
export function judge(ledger: Ledger, rules: Rules): string | undefined {
  const judged = new Judge(ledger, rules);
  return judged.wrong;
}

/** Undefined: every entry is done, or parked unless `isAll`. */
export function whatIsLeft(ledger: Ledger, { filter, partitions }: Rules, isAll: boolean): string | undefined {
  for (const entry of ledger.entries.values()) {
    if (!matchesSegment(filter, entry.segment)) continue;
    const chain = ledger.chains.get(`${ledger.consumer?.life} ${partitionOf(entry.segment, partitions)}`);
    const version = chain?.versions.at(-1);
    if (version === undefined || !isPassed(version, entry)) return `${nameOf(entry)} was not come to`;
    if (isAll && !isSettled(version, entry)) return `${nameOf(entry)} is parked`;
  }
  const marks = ledger.present.flatMap((version) => version.marks);
  return isAll && marks.length > 0 ? `${marks.length} marks are left` : undefined;
}

class Judge {
  wrong: string | undefined;
  readonly #ledger: Ledger;
  readonly #rules: Rules;
  readonly #own = new Map<number, Known[]>();
  /** What was heard under one number of a delivery. */
  readonly #told = new Map<string, Told[]>();

  constructor(ledger: Ledger, rules: Rules) {
    this.#ledger = ledger;
    this.#rules = rules;
    for (const entry of [...ledger.entries.values()].sort((a, b) => (a.offset < b.offset ? -1 : 1))) {
      if (!matchesSegment(rules.filter, entry.segment)) continue;
      const number = partitionOf(entry.segment, rules.partitions);
      this.#own.set(number, [...(this.#own.get(number) ?? []), entry]);
    }
    for (const { told } of ledger.calls) {
      for (const one of told) this.#told.set(keyOf(one), [...(this.#told.get(keyOf(one)) ?? []), one]);
    }
    for (const chain of ledger.chains.values()) this.#chain(chain);
    this.#answers();
    this.#keys();
  }

  #check(holds: boolean, rule: string, what: () => string): void {
    if (!holds) this.wrong ??= `${rule}: ${what()}`;
  }

  #chain(chain: Chain): void {
    for (const [index, after] of chain.versions.entries()) {
      const before = chain.versions[index - 1];
      if (before === undefined) continue;
      this.#write(chain, before, after);
      if (before.generation !== after.generation) continue;
      this.#passes(chain, before, after);
      this.#parks(chain, index, before, after);
      this.#gap(chain, before, after);
    }
  }

  /** C1: tokens, numbers and positions grow; nobody's work is taken away before its time. */
  #write({ number }: Chain, before: Version, after: Version): void {
    const [was, is] = [before.partition, after.partition];
    const where = `partition ${number} at ${after.order}`;
    this.#check(
      is.token >= was.token && is.delivery >= was.delivery,
      "C1",
      () => `${where} has an older token or delivery`,
    );
    this.#check(after.generation >= before.generation, "C1", () => `${where} is of an older generation`);
    if (after.generation !== before.generation) {
      this.#check(is.token > was.token, "C1", () => `${where} was set back under the same token`);
      return;
    }
    this.#check(isWithin(was.position, is.position), "C1", () => `${where} went back`);
    if (is.holder !== was.holder && is.holder !== undefined)
      this.#check(is.token > was.token, "C1", () => `${where} has another holder under the same token`);
    if (is.token > was.token) {
      const isFree = was.holder === undefined || was.expiresAt <= after.at || was.holder === is.holder;
      this.#check(isFree, "C1", () => `${where} was taken from ${was.holder} ${was.expiresAt - after.at} ms too early`);
      const isKept = was.holder === undefined && was.wanted !== undefined && was.wanted.until > after.at;
      this.#check(!isKept || was.wanted.by === is.holder, "C6", () => `${where} was another's to take`);
    } else if (is.holder !== undefined && is.holder === was.holder) {
      this.#check(is.expiresAt >= was.expiresAt, "C1", () => `${where} expires earlier than its holder was told`);
    }
    const isDelivered = is.outstanding !== undefined && is.delivery > was.delivery;
    this.#check(
      !isDelivered || is.notBefore <= after.at + clockMs,
      "C5",
      () => `${where} was delivered ${is.notBefore - after.at} ms too early`,
    );
  }

  /** C2: nothing is passed that was not acknowledged under the present numbers, skipped, parked, dropped or trimmed. */
  #passes(chain: Chain, before: Version, after: Version): void {
    for (const entry of this.#own.get(chain.number) ?? []) {
      const [was, is] = [isSettled(before, entry), isSettled(after, entry)];
      this.#check(!was || is, "C2", () => `${nameOf(entry)} was done, and waits again at ${after.order}`);
      if (was || !is || this.#isAcknowledged(chain, before, after, entry) || this.#isDropped(chain, after, entry))
        continue;
      this.#check(
        this.#isTrimmed(entry, after.order),
        "C2",
        () => `${nameOf(entry)} was passed at ${after.order} by no acknowledgement`,
      );
      this.#check(
        isPassed(before, entry) || isGapTold(chain, before, after, entry),
        "C4",
        () => `${nameOf(entry)} was passed at ${after.order}, trimmed and not told`,
      );
    }
  }

  #isAcknowledged({ life, number }: Chain, { partition }: Version, after: Version, entry: Known): boolean {
    const { token, delivery } = partition;
    const told = this.#told.get(keyOf({ life, number, token, delivery })) ?? [];
    return this.#ledger.calls.some(
      ({ began, said }) =>
        began < after.order &&
        said.some((one) => {
          if (one.life !== life || one.number !== number || one.token !== token || one.delivery !== delivery)
            return false;
          return told.some(({ entries }) => {
            const [at, to] = [entry, one].map(({ offset }) => entries.findIndex((each) => each.offset === offset));
            if (at === undefined || to === undefined || at < 0 || to < 0) return false;
            return one.how === "acknowledge" || one.how === "skip" ? at <= to : at < to;
          });
        }),
    );
  }

  /** It was parked while an operator's wish was decided, which was there by then. */
  #isDropped({ versions }: Chain, { order }: Version, entry: Known): boolean {
    return this.#ledger.drops.some(({ began, ended }) => {
      if (began > order) return false;
      const seen = versions.filter((one, index) => {
        const until = versions[index + 1]?.order ?? Infinity;
        return one.order <= Math.min(order, ended) && until > began;
      });
      return seen.some((version) => version.marks.some((mark) => isOf(mark, version, entry)));
    });
  }

  #isTrimmed({ offset, space }: Known, order: number): boolean {
    const spaces = this.#ledger.trims.filter(({ began }) => began < order);
    return spaces.some(({ through }) => offset <= through && this.#ledger.entries.get(through)?.space === space);
  }

  /** C5: what is parked failed as often as it says, and waits by a mark. */
  #parks({ life, number, versions }: Chain, index: number, before: Version, after: Version): void {
    const former = new Set(before.marks.map(({ offset }) => offset));
    for (const mark of after.marks) {
      if (former.has(mark.offset) || before.marks.some((one) => one.segment === mark.segment && !one.alone)) continue;
      const nacks = this.#ledger.calls
        .flatMap(({ began, said }) => (began < after.order ? said : []))
        .filter((one) => one.life === life && one.number === number && one.offset === mark.offset);
      const isAsked = nacks.some(({ how }) => how === "park");
      const retries = new Set(
        nacks.filter(({ how }) => how === "retry").map(({ token, delivery }) => `${token}/${delivery}`),
      ).size;
      const left = versions
        .slice(1, index + 1)
        .filter(({ partition }, at) => isAbandoned(versions[at]!.partition, partition)).length;
      const where = `${mark.segment}/${mark.first} was parked at ${after.order}`;
      this.#check(
        isAsked || (mark.failures >= this.#rules.maxDeliveries && mark.failures <= retries + left),
        "C5",
        () => `${where} with ${mark.failures} failures, of ${retries} and ${left} that there were`,
      );
      const entry = this.#ledger.entries.get(mark.offset);
      const isOld = versions.some(
        ({ order, partition }) => order < this.#ledger.calmAt && partition.failing?.offset === mark.offset,
      );
      // A death is a failure in each partition that its worker held.
      const isSole = this.#rules.partitions === 1;
      this.#check(
        !isSole || after.order < this.#ledger.calmAt || entry?.kind !== "good" || isOld,
        "C5",
        () => `${where} though nothing was wrong with it`,
      );
    }
  }

  /** C4: a gap is told until whoever was told speaks of that delivery. */
  #gap({ life, number }: Chain, before: Version, after: Version): void {
    const { gap } = before.partition;
    if (gap === undefined || after.partition.gap !== undefined) return;
    const { token } = before.partition;
    const told = (this.#told.get(keyOf({ life, number, token, delivery: gap.toldIn })) ?? []).some(
      ({ isTrimmed }) => isTrimmed,
    );
    this.#check(told, "C4", () => `partition ${number} forgot at ${after.order} a gap that nobody was told`);
  }

  #answers(): void {
    for (const call of this.#ledger.calls) {
      if (call.ended === Infinity) continue;
      for (const one of call.said) {
        const chain = this.#ledger.chains.get(`${one.life} ${one.number}`);
        const begun = chain === undefined ? undefined : versionAt(chain, call.began);
        if (begun === undefined || begun.partition.token <= one.token) continue;
        const isRefused =
          call.kind === "fetch"
            ? call.lost.includes(one.number) || this.#isIdle(call, one, chain!)
            : call.verdict === "lost";
        this.#check(
          isRefused,
          "C3",
          () =>
            `${call.worker} acknowledged partition ${one.number} by token ${one.token} at ${call.began}, of which ${begun.partition.token} was the last`,
        );
      }
      for (const told of call.told) this.#delivered(call.began, call.ended, told);
    }
  }

  /** A fetch that had nothing to write is answered by its claim alone: it is given nothing, and counts nothing. */
  #isIdle({ told }: Call, { number, token, offset }: Said, { versions }: Chain): boolean {
    const given = told.filter((one) => one.number === number);
    const entry = offset === undefined ? undefined : this.#ledger.entries.get(offset);
    const own = versions.filter(({ partition }) => partition.token === token);
    const isDone = entry === undefined || own.some((version) => isSettled(version, entry));
    return isDone && given.every((one) => one.token === token && one.entries.length === 0);
  }

  /** C3: what is delivered is the next of each segment, and nothing that was done before it was asked for. */
  #delivered(began: number, ended: number, told: Told): void {
    const chain = this.#ledger.chains.get(`${told.life} ${told.number}`);
    if (chain === undefined || told.entries.length === 0) return;
    const own = this.#own.get(told.number) ?? [];
    const begun = versionAt(chain, began);
    const where = `delivery ${told.token}/${told.delivery} of partition ${told.number} at ${ended}`;
    for (const { offset } of told.entries) {
      const entry = own.find((one) => one.offset === offset);
      if (entry === undefined) {
        this.#check(false, "C3", () => `${where} has an entry that is not the partition's`);
        continue;
      }
      const isDone = begun !== undefined && begun.generation === told.generation && isSettled(begun, entry);
      this.#check(!isDone, "C3", () => `${where} has ${nameOf(entry)}, which was done before`);
    }
    const versions = chain.versions.filter(
      ({ order, partition }) => order < ended && partition.token === told.token && partition.delivery === told.delivery,
    );
    const isNext = versions.some((version) => this.#isNext(version, own, told, ended));
    this.#check(
      isNext,
      "C3",
      () =>
        `${where} leaves something out, or is not in order: ${told.entries.map(({ offset }) => nameOf(this.#ledger.entries.get(offset)!)).join(" ")}`,
    );
  }

  #isNext(version: Version, own: readonly Known[], told: Told, ended: number): boolean {
    const delivered = told.entries.map(({ offset }) => own.find((one) => one.offset === offset)!);
    const segments = new Set(delivered.map(({ space, segment }) => `${space} ${segment}`));
    const alone = version.marks.filter((mark) => mark.alone);
    return [...segments].every((of) => {
      const isOfIt = ({ space, segment }: Known): boolean => `${space} ${segment}` === of;
      const wanted = own.filter((entry) => {
        if (!isOfIt(entry) || this.#isTrimmed(entry, ended)) return false;
        if (told.isReplay) return isParked(version, entry);
        return !isSettled(version, entry) && !alone.some((mark) => waitsBy(mark, entry));
      });
      const given = delivered.filter((entry) => isOfIt(entry) && !this.#isTrimmed(entry, ended));
      if (told.isReplay && alone.length > 0) return given.every((entry) => wanted.includes(entry));
      return given.every((entry, index) => wanted[index] === entry);
    });
  }

  /** C7: the key of an entry is the same in each of its deliveries, and another after a reset. */
  #keys(): void {
    const keys = new Map<string, string>();
    for (const { life, generation, entries } of this.#ledger.calls.flatMap(({ told }) => told)) {
      for (const { offset, key } of entries) {
        const of = `${life} ${generation} ${offset}`;
        this.#check((keys.get(of) ?? key) === key, "C7", () => `${offset} has two keys in one generation`);
        keys.set(of, key);
      }
    }
    this.#check(new Set(keys.values()).size === keys.size, "C7", () => "two entries have the same key");
  }
}

/** Whether or not it was dropped since. */
function isOf(mark: Version["marks"][number], version: Version, { space, segment, sequence, offset }: Known): boolean {
  if (mark.space !== space || mark.segment !== segment || offset > (version.partition.position[space] ?? ""))
    return false;
  return mark.alone ? mark.first === sequence : mark.first <= sequence;
}

/** Its holder went away while something was outstanding. */
function isAbandoned(before: Partition, { token }: Partition): boolean {
  return token > before.token && before.holder !== undefined && before.outstanding !== undefined;
}

function isGapTold({ versions }: Chain, before: Version, { partition }: Version, { space, offset }: Known): boolean {
  // Whoever begins at the start has missed nothing.
  const { token, delivery } = before.partition;
  const delivered = versions.filter((one) => one.partition.token === token && one.partition.delivery === delivery);
  if (delivered.some((one) => one.partition.position[space] === "")) return true;
  return partition.gap !== undefined && offset <= (partition.gap.to[space] ?? "");
}

function keyOf({ life, number, token, delivery }: Pick<Told, "life" | "number" | "token" | "delivery">): string {
  return `${life} ${number} ${token} ${delivery}`;
}

function nameOf({ segment, sequence, space }: Known): string {
  return `${space}:${segment}/${sequence}`;
}
