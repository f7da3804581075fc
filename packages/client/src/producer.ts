// Many small appends as few requests: records gather while a batch is on its way, and go together with the next one.
//
// Promise: records are written in the order in which they were sent; what `send` has accepted is written once, or its
// `ack` rejects, and so does that of everything behind it, with the first cause. `flush` and `close` wait for all that
// was accepted, and fail if any of it did. One batch is on its way at a time, so that a repeat never overtakes the
// batch before it.

import { StreamkitError } from "./errors.ts";
import { deferred, pause } from "./timing.ts";
import type { Deferred } from "./timing.ts";

export interface ProducerOptions {
  /** How long the first record of a batch waits for others, while nothing is on its way. Default 5. */
  readonly lingerInMs?: number | undefined;
  /** At most 1,000, the default. */
  readonly maxBatchRecords?: number | undefined;
  /** Bytes of the records as they are sent, at most 700 KiB, the default. */
  readonly maxBatchBytes?: number | undefined;
  /** Bytes that may wait or be on their way; beyond them `send` waits. Default 8 MiB. */
  readonly maxQueuedBytes?: number | undefined;
}

/** Where a record is. */
export interface Produced {
  readonly segment: string;
  readonly sequence: number;
  /** Where a reader of the space goes on after its batch. */
  readonly offset: string;
}

/** Accepted: its order is fixed. */
export interface Accepted {
  /** Resolves when it is durable. Nobody need look at it: `flush` and `close` tell of every failure. */
  readonly ack: Promise<Produced>;
}

/** A record as it is sent. */
export interface Outgoing {
  readonly segment: string;
  readonly text: string;
}

interface Queued extends Outgoing {
  readonly bytes: number;
  readonly acked: Deferred<Produced>;
}

const recordsMax = 1_000;
/** Below the 768 KiB of a transaction, which counts less than what is sent. */
const bytesMax = 700 * 1024;
/** The most segments in one transaction. */
const segmentsMax = 80;

const utf8 = new TextEncoder();

/** Made by `SegmentClient.createProducer` and `SpaceClient.createProducer`. */
export class Producer<R> implements AsyncDisposable {
  readonly #encode: (record: R) => Outgoing;
  readonly #write: (batch: readonly Outgoing[]) => Promise<readonly Produced[]>;
  readonly #options: Required<{ [Name in keyof ProducerOptions]: number }>;
  /** Accepted and not on their way. */
  readonly #queue: Queued[] = [];
  /** Callers that wait for room, in order. */
  readonly #waiting: { readonly queued: Queued; readonly accepted: Deferred<Accepted> }[] = [];
  /** Accepted and not durable, bytes and records. */
  #bytes = 0;
  #unacked = 0;
  #running: Promise<void> | undefined;
  /** Ends the wait for others. */
  #hurry = new AbortController();
  #failure: { readonly cause: unknown } | undefined;
  #isClosed = false;

  /** @internal */
  constructor(
    encode: (record: R) => Outgoing,
    write: (batch: readonly Outgoing[]) => Promise<readonly Produced[]>,
    options: ProducerOptions,
  ) {
    this.#encode = encode;
    this.#write = write;
    this.#options = {
      lingerInMs: options.lingerInMs ?? 5,
      maxBatchRecords: Math.min(options.maxBatchRecords ?? recordsMax, recordsMax),
      maxBatchBytes: Math.min(options.maxBatchBytes ?? bytesMax, bytesMax),
      maxQueuedBytes: options.maxQueuedBytes ?? 8 * 1024 * 1024,
    };
  }

  /**
   * Resolves when the record is accepted, which is at once unless too much waits. The signal ends that wait, not what
   * was accepted.
   */
  async send(record: R, options: { readonly abortSignal?: AbortSignal | undefined } = {}): Promise<Accepted> {
    const { abortSignal: signal } = options;
    signal?.throwIfAborted();
    this.#throwIfOver();
    const outgoing = this.#encode(record);
    const queued = { ...outgoing, bytes: utf8.encode(outgoing.text).byteLength, acked: deferred<Produced>() };
    queued.acked.promise.catch(() => undefined);
    if (this.#waiting.length === 0 && this.#hasRoom(queued)) return this.#accept(queued);
    const waiter = { queued, accepted: deferred<Accepted>() };
    this.#waiting.push(waiter);
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(waiter);
      // It was accepted in the same moment: then it counts.
      if (index < 0) return;
      this.#waiting.splice(index, 1);
      waiter.accepted.reject(signal?.reason);
      this.#admit();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await waiter.accepted.promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Resolves when all that was sent before is durable; rejects with the first cause when some of it will not be. */
  async flush(): Promise<void> {
    while (this.#failure === undefined && (this.#unacked > 0 || this.#waiting.length > 0)) {
      this.#hurry.abort();
      await this.#running;
    }
    if (this.#failure !== undefined) throw this.#failure.cause;
  }

  /** Takes no more, and waits for all that was sent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * The same as a stream: a write is done when the record is accepted, closing waits for all. Aborting gives up what is
   * not on its way.
   */
  get writable(): WritableStream<R> {
    return new WritableStream<R>({
      // An abort is not kept waiting by a write that waits for room.
      write: async (record, controller: object) => {
        const signal =
          "signal" in controller && controller.signal instanceof AbortSignal ? controller.signal : undefined;
        await this.send(record, { abortSignal: signal });
      },
      close: () => this.close(),
      abort: (reason) => {
        this.#fail(reason);
      },
    });
  }

  #throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    if (this.#isClosed) throw new StreamkitError("closed", "The producer is closed.", { effect: "none" });
  }

  /** One record always fits, whatever its size: the service judges that. */
  #hasRoom({ bytes }: Queued): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#options.maxQueuedBytes;
  }

  #accept(queued: Queued): Accepted {
    this.#queue.push(queued);
    this.#bytes += queued.bytes;
    this.#unacked += 1;
    if (this.#isFull()) this.#hurry.abort();
    this.#running ??= this.#run();
    return { ack: queued.acked.promise };
  }

  /** Lets in who waits, in order, as far as there is room. */
  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#hasRoom(first.queued); first = this.#waiting[0]) {
      this.#waiting.shift();
      first.accepted.resolve(this.#accept(first.queued));
    }
  }

  #isFull(): boolean {
    const { maxBatchBytes, maxBatchRecords } = this.#options;
    return this.#queue.length >= maxBatchRecords || this.#bytes >= maxBatchBytes;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    await pause(this.#options.lingerInMs, this.#hurry.signal).catch(() => undefined);
    while (this.#queue.length > 0) {
      const batch = this.#take();
      try {
        const places = await this.#write(batch);
        batch.forEach(({ acked }, index) => {
          const place = places[index];
          if (place !== undefined) acked.resolve(place);
        });
      } catch (failure) {
        for (const { acked } of batch) acked.reject(failure);
        this.#fail(failure);
      }
      this.#bytes -= batch.reduce((sum, { bytes }) => sum + bytes, 0);
      this.#unacked -= batch.length;
      this.#admit();
    }
    this.#hurry = new AbortController();
    this.#running = undefined;
  }

  /** From the front, as much as one transaction takes: nobody overtakes. */
  #take(): Queued[] {
    const { maxBatchBytes, maxBatchRecords } = this.#options;
    const segments = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const queued of this.#queue) {
      segments.add(queued.segment);
      bytes += queued.bytes;
      if (count > 0 && (count === maxBatchRecords || bytes > maxBatchBytes || segments.size > segmentsMax)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Records behind a failure are not sent: they would come before those that failed. */
  #fail(cause: unknown): void {
    this.#failure ??= { cause };
    const { cause: first } = this.#failure;
    const left = this.#queue.splice(0);
    for (const { acked } of left) acked.reject(first);
    this.#bytes -= left.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#unacked -= left.length;
    for (const { accepted } of this.#waiting.splice(0)) accepted.reject(first);
  }
}
