// The contract suite is checked: a backend that lies, in one way at a time, fails it; the same backend that does not, keeps it.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plainCompressor } from "../../src/codec/block.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Backend, Claim } from "./backend.ts";
import { claimTimeoutMs, runClaim } from "./backend.ts";
import { openLevelBackend } from "./level-backend.ts";
import { fencingLiars } from "./liars/fencing.ts";
import type { Liar } from "./liars/liar.ts";
import { lying } from "./liars/liar.ts";
import { readingLiars } from "./liars/reading.ts";
import { writingLiars } from "./liars/writing.ts";
import { claims } from "./store-contract.ts";

const liars: readonly Liar[] = [...readingLiars, ...writingLiars, ...fencingLiars];

/** A claim that a lie keeps from ending is caught by its time-out, milliseconds. */
const patienceMs = 15_000;

describe("a lying backend", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openLevelBackend({ compressor: plainCompressor });
  });
  afterAll(() => backend.dispose());

  describe("is caught when it", () => {
    test.for<Liar>(liars)("$lie", { timeout: claimTimeoutMs }, async (liar) => {
      const broken = await firstBroken(lying(backend, liar), claims[liar.topic]!);
      expect(broken, `no claim about ${liar.topic} sees it`).toBeDefined();
    });
  });

  test("is not caught when it tells the truth", { timeout: 2 * claimTimeoutMs }, async () => {
    const truthful = lying(backend, { tell: () => ({}) });
    expect(await firstBroken(truthful, Object.values(claims).flat())).toBeUndefined();
  });

  test("has a lie for every topic of the suite", () => {
    const topics = new Set(liars.map(({ topic }) => topic));
    expect(topics).toEqual(new Set(Object.keys(claims)));
  });
});

interface Broken {
  readonly sentence: string;
  readonly error: unknown;
}

/** The first claim that is not kept, and what it says. A mistake of the liar's own is no such thing. */
async function firstBroken(backend: Backend, given: readonly Claim[]): Promise<Broken | undefined> {
  for (const claim of given) {
    const outcome = await Promise.race([runClaim(backend, claim).then(() => undefined, asBroken), timeout()]);
    if (outcome !== undefined) return { sentence: claim.sentence, error: outcome.error };
  }
  return undefined;
}

function asBroken(error: unknown): { readonly error: unknown } {
  const isJudgement = error instanceof StoreError || (error instanceof Error && error.name === "AssertionError");
  if (!isJudgement) throw error;
  return { error };
}

async function timeout(): Promise<{ readonly error: unknown }> {
  await delay(patienceMs, undefined, { ref: false });
  return { error: new Error(`not ended after ${patienceMs} ms`) };
}
