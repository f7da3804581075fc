// A subscription: which changes of status are wanted, and where they go. And the row it is kept in, with how its
// deliveries go.

import type { SegmentStatus } from "../core/entry.ts";
import { hexKey } from "../codec/lexkey.ts";
import { corruptData, readStored } from "../core/errors.ts";
import type { SegmentName, SegmentPrefix, SpaceName, SubscriptionId } from "../core/ids.ts";
import { anyName, isWantedSegment } from "../core/segments-wanted.ts";
import type { SegmentsWanted } from "../core/segments-wanted.ts";
import { parseSpaceName, parseSubscriptionId } from "../core/ids.ts";
import type { StatusNotification } from "../store/notifier.ts";
import type { Properties, Row } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";
import type { DeliveryReport, Health } from "./health.ts";

/** A queue of the app's storage account, or an HTTPS URL. */
export type Target = { readonly queue: string } | { readonly webhook: string };

export interface Wanted extends SegmentsWanted {
  /** `*`: any. */
  readonly space: SpaceName;
  readonly target: Target;
}

export interface Subscription extends Wanted {
  readonly id: SubscriptionId;
  readonly createdAt: number;
  /** The secret that signs the messages of a webhook. */
  readonly secret: WebhookSecret | undefined;
  readonly report: DeliveryReport;
}

export interface WebhookSecret {
  readonly current: string;
  /** Signs as well until then, so that whoever checks has time to change. */
  readonly former: { readonly secret: string; readonly until: number } | undefined;
}

/** The statuses of the notification that the subscription wants. */
export function wantedStatuses(wanted: Wanted, notification: StatusNotification): readonly SegmentStatus[] {
  if (wanted.space !== anyName && wanted.space !== notification.space) return [];
  return notification.statuses.filter((status) => isWantedSegment(wanted, status.segment));
}

export function isSameWanted(a: Wanted, b: Wanted): boolean {
  const isSameFilter = a.space === b.space && a.segment === b.segment && a.prefix === b.prefix;
  return isSameFilter && isSameTarget(a.target, b.target);
}

export function isSameTarget(a: Target, b: Target): boolean {
  return "queue" in a ? "queue" in b && a.queue === b.queue : "webhook" in b && a.webhook === b.webhook;
}

/** Whether both are webhooks of one origin. */
export function isSameReceiver(a: Target | undefined, b: Target): boolean {
  if (a === undefined || !("webhook" in a) || !("webhook" in b)) return false;
  return new URL(a.webhook).origin === new URL(b.webhook).origin;
}

const formatVersion = 1n;

export function encodeSubscription(subscription: Subscription): Properties {
  const { id, space, segment, prefix, target, createdAt, secret, report } = subscription;
  return {
    [formatProperty]: formatVersion,
    id,
    space,
    // A version that knows no prefix takes this for a name, which no segment is likely to have: it delivers too little,
    // not too much.
    ...(prefix === undefined ? { segment } : { segment: `${prefix}*`, prefix }),
    ...target,
    created: BigInt(createdAt),
    ...(secret === undefined ? {} : { secret: secret.current }),
    ...(secret?.former === undefined
      ? {}
      : { formerSecret: secret.former.secret, formerUntil: BigInt(secret.former.until) }),
    delivered: BigInt(report.delivered),
    failed: BigInt(report.failed),
    deliveredAt: BigInt(report.lastDeliveredAt),
    ...(report.lastError === undefined
      ? {}
      : { failedAt: BigInt(report.lastError.at), reason: report.lastError.reason }),
    ...(report.givenUp === 0 ? {} : { givenUp: BigInt(report.givenUp), givenUpAt: BigInt(report.lastGivenUpAt) }),
    ...healthProperties(report.health),
  };
}

function healthProperties(health: Health): Properties {
  switch (health.kind) {
    case "ok":
      return {};
    case "failing": {
      const { since, until, waiting } = health;
      return { failingSince: BigInt(since), nextAttempt: BigInt(until), waiting: BigInt(waiting) };
    }
    case "disabled":
      return { disabledAt: BigInt(health.at) };
  }
}

/** `corrupt_data` for what could not have been written. */
export const decodeSubscription = decoder((row): Subscription => {
  checkRowFormat(row, formatVersion, "a subscription");
  return {
    id: idIn(row),
    space: readStored("the space of a subscription", () => parseSpaceName(textIn(row, "space"))),
    segment: (has(row, "prefix") ? anyName : textIn(row, "segment")) as SegmentName,
    prefix: has(row, "prefix") ? (textIn(row, "prefix") as SegmentPrefix) : undefined,
    target: targetIn(row),
    createdAt: numberIn(row, "created"),
    secret: secretIn(row),
    report: {
      delivered: numberIn(row, "delivered"),
      failed: numberIn(row, "failed"),
      lastDeliveredAt: numberIn(row, "deliveredAt"),
      lastError: has(row, "failedAt") ? { at: numberIn(row, "failedAt"), reason: textIn(row, "reason") } : undefined,
      givenUp: has(row, "givenUp") ? numberIn(row, "givenUp") : 0,
      lastGivenUpAt: has(row, "givenUp") ? numberIn(row, "givenUpAt") : 0,
      health: healthIn(row),
    },
  };
});

function idIn(row: Row): SubscriptionId {
  const id = readStored("the id of a subscription", () => parseSubscriptionId(textIn(row, "id")));
  if (hexKey(id) !== row.row) throw corruptData(`the id in row ${row.row} of the subscriptions`);
  return id;
}

function healthIn(row: Row): Health {
  if (has(row, "disabledAt")) return { kind: "disabled", at: numberIn(row, "disabledAt") };
  if (!has(row, "failingSince")) return { kind: "ok" };
  const since = numberIn(row, "failingSince");
  return { kind: "failing", since, until: numberIn(row, "nextAttempt"), waiting: numberIn(row, "waiting") };
}

function targetIn(row: Row): Target {
  if (has(row, "queue")) return { queue: textIn(row, "queue") };
  if (has(row, "webhook") && URL.canParse(textIn(row, "webhook"))) return { webhook: textIn(row, "webhook") };
  throw corruptData(`the target of the subscription in row ${row.row}`);
}

function secretIn(row: Row): WebhookSecret | undefined {
  if (!has(row, "secret")) return undefined;
  const former = has(row, "formerSecret")
    ? { secret: textIn(row, "formerSecret"), until: numberIn(row, "formerUntil") }
    : undefined;
  return { current: textIn(row, "secret"), former };
}

function has(row: Row, name: string): boolean {
  return row.properties[name] !== undefined;
}
