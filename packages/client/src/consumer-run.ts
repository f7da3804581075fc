// A worker of a consumer, for as long as it runs: fetches, hands entries out, acknowledges, and gives up what it holds
// when it ends.
//
// Promise: entries of a partition are handled one after the other, in order, and what is acknowledged was handled. All
// calls come one after the other from one loop, so each has the claims of the answer before it. A partition that is
// lost has its signal aborted, and nothing more of it is begun.

import type { BackOff } from "./back-off.ts";
import type { Gap } from "./consumers.ts";
import type { ConsumerClient } from "./consumer-client.ts";
import type { ConsumedEntry, Delivery, Failure, Fetched } from "./deliveries.ts";
import { isStreamkitError } from "./errors.ts";
import type { OperationOptions } from "./options.ts";
import { PartitionWork, Places } from "./partition-work.ts";
import { deferred, Following, pause } from "./timing.ts";
import { isRepeated, waitMs } from "./transport.ts";

/** `signal` aborts when the partition is another's, and when the run is to end: entries not begun are left then. */
export interface EntryContext {
  readonly signal: AbortSignal;
  readonly partition: number;
  /** Deliveries of this entry that failed. */
  readonly failures: number;
  /** It had been parked. */
  readonly isReplay: boolean;
}

/**
 * Does the work of one entry. When it rejects the entry has failed. An entry may come again: what is produced for it is
 * produced once with its `key` as the `idempotencyKey`.
 */
export type EntryHandler<T> = (entry: ConsumedEntry<T>, context: EntryContext) => Promise<void> | void;

export interface RunOptions extends OperationOptions {
  /** Another for each process. Default: a random one. */
  readonly worker?: string | undefined;
  /** Entries that are handled at once, each of another partition. Default: of all partitions that it holds. */
  readonly concurrency?: number | undefined;
  /** Entries of each partition in one delivery. Default 100. */
  readonly maxEntries?: number | undefined;
  /** How long a call waits for something new, and so the end of the run for that call. Default 5. */
  readonly waitInSeconds?: number | undefined;
  /** What becomes of an entry that failed. Default: `retry`, with the message of the error as its reason. */
  readonly onFailure?:
    ((error: unknown, entry: { readonly offset: string; readonly key: string }) => FailureRule) | undefined;
  /** Is told what was trimmed before it was delivered. */
  readonly onTrimmed?: ((gap: Gap, partition: number) => void) | undefined;
}

export type FailureRule = Omit<Failure, "offset">;

/** While something is handled the others are looked after so often, and what is held is renewed. */
const lookMs = 1_000;
/** How long the end of a run waits for what it held to be given up; else that happens when its lease is over. */
const releaseMsMax = 5_000;

export async function runConsumer<T>(
  consumer: ConsumerClient<T>,
  onEntry: EntryHandler<T>,
  options: RunOptions,
  backOff: BackOff,
): Promise<void> {
  const ending = new Following(options.abortSignal);
  const run = new Run(consumer, onEntry, options, ending.signal);
  let failures = 0;
  try {
    while (!ending.signal.aborted) {
      try {
        await run.turn();
        failures = 0;
      } catch (failure) {
        if (!isStreamkitError(failure) || !isRepeated(failure)) throw failure;
        failures += 1;
        await paused(waitMs(failure, backOff, failures), ending.signal);
      }
    }
  } catch (failure) {
    // Calls are given up when the run ends, not the other way round.
    if (!ending.signal.aborted || isStreamkitError(failure)) throw failure;
  } finally {
    ending.abort();
    await run.end();
    ending.release();
  }
}

class Run<T> {
  readonly #consumer: ConsumerClient<T>;
  readonly #onEntry: EntryHandler<T>;
  readonly #options: RunOptions;
  readonly #ending: AbortSignal;
  readonly #calls: OperationOptions;
  readonly #worker: string;
  readonly #places: Places;
  readonly #held = new Map<number, PartitionWork>();
  /** What was begun of each partition, also of those that were lost since. */
  readonly #begun = new Map<number, Promise<void>>();
  readonly #cut = new AbortController();
  #cutting: ReturnType<typeof setTimeout> | undefined;
  #news = deferred();
  #broken: { readonly cause: unknown } | undefined;

  constructor(consumer: ConsumerClient<T>, onEntry: EntryHandler<T>, options: RunOptions, ending: AbortSignal) {
    const { concurrency = Infinity, onResponse, requestOptions, tracingOptions, worker } = options;
    this.#consumer = consumer;
    this.#onEntry = onEntry;
    this.#options = options;
    this.#ending = ending;
    this.#worker = worker ?? crypto.randomUUID();
    this.#places = new Places(concurrency);
    // A call that waits is let end: what it was about to deliver would be nobody's until the lease is over.
    this.#calls = { onResponse, requestOptions, tracingOptions, abortSignal: this.#cut.signal };
    const graceMs = 1_000 * this.#waitSeconds + releaseMsMax;
    ending.addEventListener("abort", () => (this.#cutting = setTimeout(() => this.#cut.abort(), graceMs)));
  }

  get #waitSeconds(): number {
    return this.#options.waitInSeconds ?? 5;
  }

  get #isBusy(): boolean {
    return [...this.#held.values()].some((work) => work.isBusy);
  }

  /** Says what failed, then fetches, then waits for something to do. */
  async turn(): Promise<void> {
    this.#news = deferred();
    await Promise.all([...this.#held].map(([number, work]) => this.#tellFailure(number, work, this.#calls)));
    const said = [...this.#held.values()].map((work) => ({ work, claim: work.claim, offset: work.doneTo }));
    const fetched = await this.#consumer.fetch(this.#worker, {
      ...{ ...this.#calls, held: said.map(({ claim, offset }) => ({ claim, offset })) },
      ...{ maxEntries: this.#options.maxEntries, waitInSeconds: this.#isBusy ? 0 : this.#waitSeconds },
    });
    for (const { work, offset } of said) work.told(offset);
    this.#take(fetched);
    if (this.#isBusy) await Promise.race([this.#news.promise, paused(lookMs, this.#ending)]);
    if (this.#broken !== undefined) throw this.#broken.cause;
  }

  /** What was begun is ended, acknowledged, and given up. What cannot be told is told by the end of the lease. */
  async end(): Promise<void> {
    clearTimeout(this.#cutting);
    await Promise.all(this.#begun.values());
    const calls = { ...this.#calls, abortSignal: AbortSignal.timeout(releaseMsMax) };
    const giving = [...this.#held].map(async ([number, work]) => {
      await this.#tellFailure(number, work, calls);
      await this.#consumer.ack(work.claim, { ...calls, offset: work.doneTo, release: true });
    });
    await Promise.allSettled(giving);
  }

  #take({ deliveries, lost }: Fetched<T>): void {
    const former = new Map(this.#held);
    this.#held.clear();
    for (const delivery of deliveries) {
      const { claim, entries, partition, trimmed } = delivery;
      const known = lost.includes(partition) ? undefined : former.get(partition);
      if (known !== undefined) former.delete(partition);
      const work = known ?? new PartitionWork();
      work.claim = claim;
      this.#held.set(partition, work);
      if (trimmed !== undefined) this.#options.onTrimmed?.(trimmed, partition);
      if (entries.length > 0) this.#begin(work, delivery);
    }
    for (const work of former.values()) work.lose();
  }

  /** After whatever is being handled of the partition, for whoever held it in this process. */
  #begin(work: PartitionWork, delivery: Delivery<T>): void {
    const { partition } = delivery;
    const before = this.#begun.get(partition) ?? Promise.resolve();
    work.begin();
    const handled = before
      .then(() => this.#handle(work, delivery))
      .catch((cause: unknown) => (this.#broken = { cause }))
      .then(() => {
        work.end();
        this.#news.resolve();
      });
    this.#begun.set(partition, handled);
  }

  async #handle(work: PartitionWork, { entries, failures, isReplay, partition }: Delivery<T>): Promise<void> {
    const signal = AbortSignal.any([this.#ending, work.lost]);
    for (const [at, entry] of entries.entries()) {
      await this.#places.take();
      try {
        if (signal.aborted) return;
        await this.#onEntry(entry.decoded(), { signal, partition, isReplay, failures: at === 0 ? failures : 0 });
        work.pass(entry.offset);
      } catch (error) {
        // Work that was told to stop has not failed.
        if (signal.aborted) return;
        work.fail({ offset: entry.offset, ...this.#ruleFor(error, entry) });
        return;
      } finally {
        this.#places.give();
      }
    }
  }

  #ruleFor(error: unknown, entry: { readonly offset: string; readonly key: string }): FailureRule {
    const rule = this.#options.onFailure?.(error, entry) ?? { action: "retry" };
    return { ...rule, reason: shortened(rule.reason ?? messageOf(error)) };
  }

  async #tellFailure(number: number, work: PartitionWork, calls: OperationOptions): Promise<void> {
    const { failure } = work;
    if (failure === undefined) return;
    try {
      const { claim } = await this.#consumer.nack(work.claim, failure, calls);
      work.claim = claim ?? work.claim;
      work.settle();
    } catch (refused) {
      if (!isStreamkitError(refused, "lease_held")) throw refused;
      work.lose();
      this.#held.delete(number);
    }
  }
}

const reasonBytesMax = 1_024;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** To what a reason may be, and to whole characters. */
function shortened(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= reasonBytesMax) return reason;
  return new TextDecoder().decode(bytes.subarray(0, reasonBytesMax), { stream: true });
}

/** The end of a pause that is cut short is no failure. */
async function paused(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, signal).catch(() => undefined);
}
