// Every call of the interface, by topic in `operations/`: path, parameters, bodies, answers and errors, each in one
// place.

import type { Operation } from "./operation.ts";
import { consumeSegment, consumeSpace, consume, peek, segmentStatus } from "./operations/consume.ts";
import { job, jobs } from "./operations/jobs.ts";
import {
  consumerAck,
  consumerDelete,
  consumerFetch,
  consumerGet,
  consumerNack,
  consumerParked,
  consumerPut,
  consumerReset,
  consumers,
  consumerSettle,
} from "./operations/consumers.ts";
import { leaseAcquire, leaseRelease } from "./operations/leases.ts";
import { liveStatus } from "./operations/live.ts";
import { restoreEntries } from "./operations/restore.ts";
import {
  deleteSpace,
  deleteStore,
  redact,
  restoreSpace,
  restoreStore,
  trimSegment,
  trimSpace,
} from "./operations/manage.ts";
import { spaces, segments, spaceStatus } from "./operations/names.ts";
import { produce, produceAll } from "./operations/produce.ts";
import {
  spaceRetentionDelete,
  spaceRetentionGet,
  spaceRetentionPut,
  storeRetentionDelete,
  storeRetentionGet,
  storeRetentionPut,
} from "./operations/retention.ts";
import { storeGet, storePut, stores } from "./operations/stores.ts";
import { subscriptionDelete, subscriptionGet, subscriptionPut, subscriptions } from "./operations/subscriptions.ts";
import { health, monitor, openapi } from "./operations/system.ts";

export const operations: readonly Operation[] = [
  produce,
  produceAll,
  consumeSegment,
  consumeSpace,
  consume,
  peek,
  segmentStatus,
  liveStatus,
  trimSegment,
  trimSpace,
  restoreEntries,
  redact,
  spaceRetentionPut,
  spaceRetentionGet,
  spaceRetentionDelete,
  storeRetentionPut,
  storeRetentionGet,
  storeRetentionDelete,
  stores,
  storeGet,
  storePut,
  deleteSpace,
  restoreSpace,
  deleteStore,
  restoreStore,
  jobs,
  job,
  spaces,
  segments,
  spaceStatus,
  leaseAcquire,
  leaseRelease,
  consumerPut,
  consumerGet,
  consumerDelete,
  consumers,
  consumerFetch,
  consumerAck,
  consumerNack,
  consumerReset,
  consumerParked,
  consumerSettle,
  subscriptionPut,
  subscriptionGet,
  subscriptionDelete,
  subscriptions,
  health,
  monitor,
  openapi,
];
