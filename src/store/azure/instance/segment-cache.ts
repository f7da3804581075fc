// The segments that an instance remembers, bounded over all its spaces together: the longest unused is forgotten.
// Forgetting costs a read when the segment is used again, never more.

import { LRUCache } from "lru-cache";

import type { SegmentName } from "../../../core/ids.ts";

export interface SegmentCacheBounds<V> {
  readonly segmentsMax: number;
  /** For values that grow: their weights together, and what one weighs now (an integer from 1). */
  readonly weight?: { readonly max: number; readonly of: (value: V) => number };
}

export class SegmentCache<V extends object> {
  readonly #values: LRUCache<string, V>;
  #spaces = 0;

  constructor({ segmentsMax, weight }: SegmentCacheBounds<V>) {
    this.#values = new LRUCache({
      max: segmentsMax,
      ...(weight === undefined ? {} : { maxSize: weight.max, sizeCalculation: weight.of }),
    });
  }

  /** A part of its own for one space. */
  forSpace(): CachedSegments<V> {
    return new CachedSegments(this.#values, () => (this.#spaces += 1));
  }
}

export class CachedSegments<V extends object> {
  readonly #values: LRUCache<string, V>;
  readonly #nextNumber: () => number;
  #prefix: string;

  constructor(values: LRUCache<string, V>, nextNumber: () => number) {
    this.#values = values;
    this.#nextNumber = nextNumber;
    this.#prefix = `${nextNumber()} `;
  }

  get(segment: SegmentName): V | undefined {
    return this.#values.get(this.#prefix + segment);
  }

  /** Without counting as a use. */
  peek(segment: SegmentName): V | undefined {
    return this.#values.peek(this.#prefix + segment);
  }

  has(segment: SegmentName): boolean {
    return this.#values.has(this.#prefix + segment);
  }

  set(segment: SegmentName, value: V): void {
    this.#values.set(this.#prefix + segment, value);
  }

  /** The value has become heavier. */
  grown(segment: SegmentName, value: V): void {
    // The library weighs a value only when it comes in.
    this.delete(segment);
    this.set(segment, value);
  }

  delete(segment: SegmentName): void {
    this.#values.delete(this.#prefix + segment);
  }

  /**
   * Forgets the space's segments at once: what they leave behind is never found again, and goes as the longest unused
   * does.
   */
  clear(): void {
    this.#prefix = `${this.#nextNumber()} `;
  }
}
