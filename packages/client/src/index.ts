// The package's exports.

export { StreamkitClient, StoreClient } from "./client.ts";
export type { Health, HealthOptions, SeveralReadOptions } from "./client.ts";
export { SpaceClient } from "./space-client.ts";
export type { SpaceReadOptions, SpaceStatus } from "./space-client.ts";
export { SegmentClient } from "./segment-client.ts";
export type { SegmentReadOptions } from "./segment-client.ts";
export type { AppendOptions, AppendResult, Expected, LeaseProof, SegmentRecords, WriteOptions } from "./append.ts";
export { bytes, json, text } from "./codecs.ts";
export type { Codec } from "./codecs.ts";
export { ConsumerClient } from "./consumer-client.ts";
export type { SettleOptions } from "./consumer-client.ts";
export type { EntryContext, EntryHandler, FailureRule, RunOptions } from "./consumer-run.ts";
export type {
  Consumer,
  ConsumerFrom,
  ConsumerRules,
  ConsumerState,
  Gap,
  Parked,
  PartitionState,
  SettledParked,
  WantedConsumer,
  WhichParked,
} from "./consumers.ts";
export type {
  Acknowledged,
  ConsumedEntry,
  DeliveredEntry,
  Delivery,
  Failure,
  Fetched,
  FetchOptions,
  HeldClaim,
} from "./deliveries.ts";
export type { Credential, KeyCredential, TokenCredential } from "./credential.ts";
export type { DeleteOptions, Deletion } from "./deletion.ts";
export type { Entry, SegmentStatus, StreamRecord, Transaction } from "./entries.ts";
export { isStreamkitError, StreamkitError } from "./errors.ts";
export type { Effect, ErrorCode, FailedRequest, FailedResponse, StreamkitErrorOptions } from "./errors.ts";
export type { Follower } from "./follow.ts";
export { Jobs } from "./jobs.ts";
export type { Job, JobFacts, JobPage, PagedJobs, WaitOptions } from "./jobs.ts";
export { LeaseClient } from "./lease-client.ts";
export type { HeldLease, HoldOptions, Lease } from "./lease-client.ts";
export type { NamePage, PagedNames } from "./names.ts";
export type {
  OperationOptions,
  RawResponse,
  RequestOptions,
  RetryOptions,
  StreamkitClientOptions,
  TracingOptions,
} from "./options.ts";
export { Producer } from "./producer.ts";
export type { Accepted, Produced, ProducerOptions } from "./producer.ts";
export type { Page, PagedEntries, PageSettings } from "./read.ts";
export type { ReadLinkKey, ReadLinkOptions } from "./read-link.ts";
export type { EntryFilter, MinOptions, Offsets, ReadBounds, SegmentBounds, SpaceBounds } from "./reading.ts";
export { RetentionClient } from "./retention.ts";
export type { Retention, RetentionPolicy, WouldRemove } from "./retention.ts";
export type { StatusOptions } from "./statuses.ts";
export type { PagedStores, StorePage, StoreStatus } from "./stores.ts";
export { Subscriptions } from "./subscriptions.ts";
export type { PutSubscriptionOptions, Subscription, SubscriptionTarget, WantedSubscription } from "./subscriptions.ts";
export type { SpaceTrim, TrimSpaceOptions } from "./trim.ts";
export { verifyWebhook } from "./webhooks.ts";
export type { SignedRequest, StatusMessage, VerifyOptions } from "./webhooks.ts";
