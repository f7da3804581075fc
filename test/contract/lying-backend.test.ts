// The contract suite is checked: a backend that lies, in one way at a time, fails it; the same backend that does not,
// keeps it.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plainCompressor } from "../../src/codec/block.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Backend, Claim } from "./backend.ts";
import { claimTimeoutMs, runClaim } from "./backend.ts";
import { openLevelBackend } from "./level-backend.ts";
import { deletingLiars } from "./liars/deleting.ts";
import { fencingLiars } from "./liars/fencing.ts";
import { countingLiars } from "./liars/counting.ts";
import { filteringLiars } from "./liars/filtering.ts";
import type { Liar } from "./liars/liar.ts";
import { lying } from "./liars/liar.ts";
import { ownWriteLiars } from "./liars/own-writes.ts";
import { readingLiars } from "./liars/reading.ts";
import { redactingLiars } from "./liars/redacting.ts";
import { restoringLiars } from "./liars/restoring.ts";
import { streamingLiars } from "./liars/streaming.ts";
import { trimmingLiars } from "./liars/trimming.ts";
import { writingLiars } from "./liars/writing.ts";
import { directClaims as claims } from "./store-contract.ts";

const liars: readonly Liar[] = [
  ...[...readingLiars, ...ownWriteLiars, ...writingLiars, ...fencingLiars, ...filteringLiars, ...countingLiars],
  ...[...trimmingLiars, ...streamingLiars, ...deletingLiars, ...restoringLiars, ...redactingLiars],
];

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

/**
 * The first claim that is not kept, by its own judgement. A mistake of the liar's own is no such thing, nor is a claim
 * that does not end: it does not say what is wrong, and might only be slow.
 */
async function firstBroken(backend: Backend, given: readonly Claim[]): Promise<string | undefined> {
  for (const claim of given) {
    if (!(await isKept(backend, claim))) return claim.sentence;
  }
  return undefined;
}

async function isKept(backend: Backend, claim: Claim): Promise<boolean> {
  try {
    await runClaim(backend, claim);
    return true;
  } catch (error) {
    if (error instanceof StoreError || (error instanceof Error && error.name === "AssertionError")) return false;
    throw error;
  }
}
