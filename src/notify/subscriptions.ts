// The subscriptions of all stores, each in its store's table.
//
// Promise: of two who change a subscription at once neither undoes the other unseen. A secret is told once: to who made
// it.

import type { Clock, Random, ServiceClock } from "../core/clock.ts";
import { invalidArgument, isUnreadable, StoreError } from "../core/errors.ts";
import type { StoreId, SubscriptionId } from "../core/ids.ts";
import { parseSubscriptionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { Logger } from "../core/logger.ts";
import { hexKey } from "../codec/lexkey.ts";
import { changesOf, nothingDelivered, withNews } from "./health.ts";
import type { Change, DeliveryNews } from "./health.ts";
import { changeRow } from "../table/change-row.ts";
import type { RowChange, RowPlace } from "../table/change-row.ts";
import type { Row, Table } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import { decodeSubscription, encodeSubscription, isSameReceiver, isSameTarget, isSameWanted } from "./subscription.ts";
import type { Subscription, Wanted, WebhookSecret } from "./subscription.ts";
import { checkTarget } from "./targets.ts";
import type { TargetPolicy } from "./targets.ts";

export interface PutRequest extends Wanted {
  readonly rotateSecret: boolean;
}

export interface PutOutcome {
  readonly kind: "created" | "changed" | "unchanged";
  readonly subscription: Subscription;
  /** The secret that was made now, if one was. */
  readonly newSecret: string | undefined;
}

export interface SubscriptionList {
  readonly subscriptions: readonly Subscription[];
  readonly unreadable: readonly { readonly id: SubscriptionId; readonly reason: string }[];
}

/**
 * Errors: `invalid_argument` for what is not allowed; `throttled`, `overloaded`, `storage_unavailable`, `corrupt_data`.
 */
export interface Subscriptions {
  /**
   * Makes or changes a subscription. An existing one keeps its counts if the target stays the same, and its secret if
   * the webhook stays at the same origin: another receiver must not be able to sign what this one trusts.
   */
  put(store: StoreId, id: SubscriptionId, request: PutRequest): Promise<PutOutcome>;
  get(store: StoreId, id: SubscriptionId): Promise<Subscription | undefined>;
  /** Whether there was one. */
  remove(store: StoreId, id: SubscriptionId): Promise<"removed" | "missing">;
  /** In the order of their ids; one whose row cannot be read is logged and left out. */
  list(store: StoreId): Promise<readonly Subscription[]>;
  /** The subscriptions of `list` and those that it leaves out: everything that there is to remove. */
  listAll(store: StoreId): Promise<SubscriptionList>;
  /** Adds to what is known of its deliveries, and tells what that changed; nothing when it is gone. */
  report(store: StoreId, id: SubscriptionId, news: DeliveryNews): Promise<readonly Change[]>;
}

export interface SubscriptionsOptions {
  readonly logger: Logger;
  /** The table of a store. Does no request. */
  readonly table: (store: StoreId) => Table;
  readonly policy: TargetPolicy;
  /** Whether there are notifications at all: without them no subscription is made or changed. */
  readonly notifies: boolean;
  readonly clock: Clock;
  /** Learns the storage's time from each list. */
  readonly serviceClock: Pick<ServiceClock, "learn">;
  readonly random: Random;
  /** `whsec_` and the base64 of 24 to 64 bytes that nobody can guess. */
  readonly newSecret: () => string;
}

/** How long a former secret signs as well: a day, for whoever has to change it by hand. */
const formerSecretMs = 24 * 60 * 60_000;

const partition = hexKey("SUB");

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { logger, table, policy, notifies, newSecret, serviceClock } = options;
  const place = (store: StoreId, id: SubscriptionId): RowPlace => ({ table: table(store), partition, row: hexKey(id) });

  const secretFor = (before: Subscription | undefined, request: PutRequest, now: number): WebhookSecret | undefined => {
    if ("queue" in request.target) return undefined;
    const secret = before?.secret;
    if (secret === undefined || !isSameReceiver(before?.target, request.target)) {
      return { current: newSecret(), former: undefined };
    }
    if (!request.rotateSecret) return secret;
    return { current: newSecret(), former: { secret: secret.current, until: now + formerSecretMs } };
  };

  const rowsOf = (store: StoreId): Promise<readonly Row[]> =>
    listRows(table(store), (serviceTime) => serviceClock.learn(serviceTime));

  const get: Subscriptions["get"] = async (store, id) => {
    const { table: of, row: key } = place(store, id);
    try {
      const { row } = await of.get(partition, key);
      return row === undefined ? undefined : decodeSubscription(row);
    } catch (error) {
      throw asStoreError(error, "none");
    }
  };

  const listAll: Subscriptions["listAll"] = async (store) => {
    const subscriptions: Subscription[] = [];
    const unreadable: SubscriptionList["unreadable"][number][] = [];
    for (const row of await rowsOf(store)) {
      try {
        subscriptions.push(decodeSubscription(row));
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        logger.error("a subscription cannot be read and is left out", { store, row: row.row, error });
        const id = idOfRow(row);
        if (id !== undefined) unreadable.push({ id, reason: error.message });
      }
    }
    return { subscriptions, unreadable };
  };

  return {
    async put(store, id, request) {
      if (!notifies) throw notificationsAreOff();
      checkTarget(policy, request.target);
      if (request.rotateSecret && "queue" in request.target) {
        throw invalidArgument("rotateSecret", "it only with a webhook: a queue has no secret");
      }
      // A change needs no place, and a few too many by chance do no harm.
      if ((await get(store, id)) === undefined) refuseBeyondLimit(await rowsOf(store));
      return changeRow<PutOutcome>(place(store, id), options, ({ row, now }) => {
        const before = row === undefined ? undefined : decodeSubscription(row);
        return putOver(before, id, request, secretFor(before, request, now), now);
      });
    },
    get,
    remove: (store, id) =>
      changeRow<"removed" | "missing">(place(store, id), options, ({ row }) =>
        row === undefined
          ? { outcome: "missing", change: undefined }
          : { outcome: "removed", change: { kind: "delete" } },
      ),
    list: async (store) => (await listAll(store)).subscriptions,
    listAll,
    report: (store, id, news) =>
      changeRow(place(store, id), options, ({ row }): RowChange<readonly Change[]> => {
        if (row === undefined) return { outcome: [], change: undefined };
        const before = decodeSubscription(row);
        const report = withNews(before.report, news);
        const properties = encodeSubscription({ ...before, report });
        return { outcome: changesOf(before.report, report), change: { kind: "put", properties } };
      }),
  };
}

function putOver(
  before: Subscription | undefined,
  id: SubscriptionId,
  request: PutRequest,
  secret: WebhookSecret | undefined,
  now: number,
): RowChange<PutOutcome> {
  const { space, segment, prefix, target } = request;
  const newSecret = secret === undefined || secret.current === before?.secret?.current ? undefined : secret.current;
  const isDisabled = before?.report.health.kind === "disabled";
  if (before !== undefined && newSecret === undefined && !isDisabled && isSameWanted(before, request)) {
    return { outcome: { kind: "unchanged", subscription: before, newSecret }, change: undefined };
  }
  const subscription: Subscription = {
    id,
    space,
    segment,
    prefix,
    target,
    createdAt: before?.createdAt ?? now,
    secret,
    report:
      before === undefined || !isSameTarget(before.target, target)
        ? nothingDelivered
        : isDisabled
          ? { ...before.report, health: { kind: "ok" } }
          : before.report,
  };
  const kind = before === undefined ? "created" : "changed";
  return {
    outcome: { kind, subscription, newSecret },
    change: { kind: "put", properties: encodeSubscription(subscription) },
  };
}

function notificationsAreOff(): StoreError {
  return new StoreError(
    "invalid_argument",
    "Nothing would be delivered: notifications are off in this deployment. Set STREAMKIT_NOTIFICATIONS_QUEUE to the name of a queue, or leave it out, to turn them on.",
    { details: { field: "subscription", expected: "a deployment that sends notifications" } },
  );
}

/** The id that the key says, whatever the row says; undefined when that is none, and nobody can ask for it. */
function idOfRow({ row }: Row): SubscriptionId | undefined {
  const text = Buffer.from(row, "hex").toString("latin1");
  if (hexKey(text) !== row) return undefined;
  try {
    return parseSubscriptionId(text);
  } catch {
    return undefined;
  }
}

function refuseBeyondLimit(rows: readonly Row[]): void {
  const limit = limits.subscriptionsPerStoreMax;
  if (rows.length < limit) return;
  throw invalidArgument("subscriptions", `at most ${limit} in a store`);
}

async function listRows(table: Table, learn: (serviceTime: number) => void): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let continuation: string | undefined;
  try {
    do {
      // All keys are hex, which sorts from 0 to below g.
      const page = await table.query({ partition, from: "0", to: "g" }, { continuation });
      learn(page.serviceTime);
      rows.push(...page.rows);
      continuation = page.continuation;
    } while (continuation !== undefined);
  } catch (error) {
    throw asStoreError(error, "none");
  }
  return rows;
}
