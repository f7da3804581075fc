// What the tests of notifications speak of.

import type { SegmentStatus } from "../../../src/core/entry.ts";
import {
  parseSegmentName,
  parseSegmentPrefix,
  parseSpaceName,
  parseStoreId,
  parseSubscriptionId,
} from "../../../src/core/ids.ts";
import { segmentsWanted } from "../../../src/core/segments-wanted.ts";
import { createAddressPolicy } from "../../../src/notify/addresses.ts";
import type { PutRequest } from "../../../src/notify/subscriptions.ts";
import type { Target } from "../../../src/notify/subscription.ts";
import type { TargetPolicy } from "../../../src/notify/targets.ts";
import type { StatusNotification } from "../../../src/store/notifier.ts";

export const store = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
export const id = parseSubscriptionId;

export const policy: TargetPolicy = {
  addresses: createAddressPolicy({ loopback: true, networks: [] }),
  queuePrefix: "sub-",
  reservedQueues: ["sub-own"],
};

export function wanted(space: string, segment: string, target: Target, rotateSecret = false): PutRequest {
  return { space: parseSpaceName(space), ...segmentsWanted(parseSegmentName(segment)), target, rotateSecret };
}

export function wantedBy(space: string, prefix: string, target: Target): PutRequest {
  const segments = segmentsWanted(undefined, parseSegmentPrefix(prefix));
  return { space: parseSpaceName(space), ...segments, target, rotateSecret: false };
}

export function status(space: string, segment: string, lastSequence = 1): SegmentStatus {
  return {
    space: parseSpaceName(space),
    segment: parseSegmentName(segment),
    ...{ firstSequence: 1, firstTimestamp: 1_900_000_000_000, lastSequence, lastTimestamp: 1_900_000_000_001 },
  };
}

export function notification(space: string, ...segments: readonly string[]): StatusNotification {
  return { store, space: parseSpaceName(space), statuses: segments.map((segment) => status(space, segment)) };
}
