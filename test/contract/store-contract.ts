// The contract of a store, whatever keeps it and whichever way in: one suite, the same claims for each, no skips.

import { afterAll, beforeAll, describe, test } from "vitest";
import type { Backend, Claim } from "./backend.ts";
import { claimTimeoutMs, runClaim } from "./backend.ts";
import { appliedClaims } from "./claims/applied.ts";
import { deletionClaims } from "./claims/deletion.ts";
import { errorClaims } from "./claims/errors.ts";
import { filterClaims } from "./claims/filters.ts";
import { idempotenceClaims } from "./claims/idempotence.ts";
import { leaseClaims } from "./claims/leases.ts";
import { lifetimeClaims } from "./claims/lifetime.ts";
import { nameClaims } from "./claims/names.ts";
import { ownWriteClaims } from "./claims/own-writes.ts";
import { peekClaims } from "./claims/peek.ts";
import { produceAllClaims } from "./claims/produce-all.ts";
import { produceClaims } from "./claims/produce.ts";
import { racingClaims } from "./claims/racing.ts";
import { redactionClaims } from "./claims/redaction.ts";
import { restoreClaims } from "./claims/restore.ts";
import { segmentClaims } from "./claims/segment.ts";
import { sequenceClaims } from "./claims/sequences.ts";
import { severalClaims } from "./claims/several.ts";
import { spaceClaims } from "./claims/space.ts";
import { streamClaims } from "./claims/streams.ts";
import { spaceStatusClaims } from "./claims/space-status.ts";
import { tailClaims } from "./claims/tail.ts";
import { tailingClaims } from "./claims/tailing.ts";
import { transactionClaims } from "./claims/transactions.ts";
import { trimClaims } from "./claims/trim.ts";

/** By topic, in the order they are told. */
export const claims: Readonly<Record<string, readonly Claim[]>> = {
  produce: produceClaims,
  sequences: sequenceClaims,
  "racing producers": racingClaims,
  transactions: transactionClaims,
  idempotence: idempotenceClaims,
  "produce to several segments": produceAllClaims,
  "consume a segment": segmentClaims,
  "consume a space": spaceClaims,
  "consume several spaces": severalClaims,
  filters: filterClaims,
  "a reader at the tail": tailingClaims,
  "the end and the newest": tailClaims,
  "peek and status": peekClaims,
  "own writes": ownWriteClaims,
  "what a space has": spaceStatusClaims,
  names: nameClaims,
  leases: leaseClaims,
  applied: appliedClaims,
  trim: trimClaims,
  restore: restoreClaims,
  redaction: redactionClaims,
  deletion: deletionClaims,
  "errors on the way": errorClaims,
  "cancel and close": lifetimeClaims,
};

/** The same with the calls that over HTTP have a protocol of their own, and its conformance suite. */
export const directClaims: typeof claims = { ...claims, streams: streamClaims };

/** Registers every claim as a test of this configuration, which is opened once. */
export function storeContract(name: string, open: () => Promise<Backend>, topics: typeof claims): void {
  describe(name, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    }, claimTimeoutMs);
    afterAll(() => backend.dispose(), claimTimeoutMs);

    for (const [topic, topicClaims] of Object.entries(topics)) {
      describe(topic, () => {
        for (const claim of topicClaims) test(claim.sentence, () => runClaim(backend, claim), claimTimeoutMs);
      });
    }
  });
}
