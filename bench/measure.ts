// What a measure is and what it gives: figures, each a count or a ratio with its unit, and some with a goal.

export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Of the issue of performance: what the value has to keep to. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
}

export interface Measure {
  /** What `--only` takes. */
  readonly name: string;
  /** What is measured, in one sentence. */
  readonly about: string;
  run(size: RunSize): Promise<readonly Figure[]>;
}

/** How much of everything: all of it, or enough to see that it works. */
export interface RunSize {
  /** Times of one timed round, milliseconds, and how many rounds the median is taken of. */
  readonly roundMs: number;
  readonly rounds: number;
  /** Counts of everything else are divided by this. */
  readonly divisor: number;
}

export const runSizes = {
  full: { roundMs: 2_000, rounds: 5, divisor: 1 },
  quick: { roundMs: 300, rounds: 1, divisor: 20 },
} as const satisfies Record<string, RunSize>;

export function isMet({ goal, value }: Figure): boolean | undefined {
  if (goal === undefined) return undefined;
  return "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
}

/** The `share` (0 to 1) quantile: of 0.5 the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.floor(share * sorted.length));
  return sorted[at] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** One piece of work, by one of the workers that do it at the same time. */
export type Work = (worker: number) => Promise<unknown>;

/** Each piece's time, milliseconds, of workers that go on without a pause for so long. */
export async function durations(workers: number, ms: number, work: Work): Promise<number[]> {
  const times: number[] = [];
  const endsAt = performance.now() + ms;
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      while (performance.now() < endsAt) {
        const startedAt = performance.now();
        await work(worker);
        times.push(performance.now() - startedAt);
      }
    }),
  );
  return times;
}

/** Pieces of work a second. */
export async function rate(workers: number, ms: number, work: Work): Promise<number> {
  const startedAt = performance.now();
  const { length } = await durations(workers, ms, work);
  return (length / (performance.now() - startedAt)) * 1_000;
}

/**
 * Rates of several ways to do the same, in turns, so that what else the machine does falls on all of them alike; each
 * has had a short round before, to be warm. The median of each.
 */
export async function ratesInTurns<Way extends string>(
  { roundMs, rounds }: RunSize,
  ways: Readonly<Record<Way, (ms: number) => Promise<number>>>,
): Promise<Record<Way, number>> {
  const names = Object.keys(ways) as Way[];
  const seen = new Map<Way, number[]>(names.map((name) => [name, []]));
  for (const name of names) await ways[name](roundMs / 4);
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) seen.get(name)?.push(await ways[name](roundMs));
  }
  return Object.fromEntries(names.map((name) => [name, median(seen.get(name) ?? [])])) as Record<Way, number>;
}
