// How deliveries of a subscription go: what is kept of it, and what becomes of that with each news.

/** Whether its target takes what is sent. Times are the storage's, milliseconds since 1970. */
export type Health =
  | { readonly kind: "ok" }
  /**
   * `since`: the first failure after the last success. `until`: the next try. `waiting`: about how many messages wait
   * for it.
   */
  | { readonly kind: "failing"; readonly since: number; readonly until: number; readonly waiting: number }
  /** The target said that it is gone for good: nothing is sent until somebody puts the subscription again. */
  | { readonly kind: "disabled"; readonly at: number };

/** Counts are about right: they are written seldom, and never at the cost of a delivery. */
export interface DeliveryReport {
  readonly delivered: number;
  /** Tries, not messages. */
  readonly failed: number;
  /** Messages. */
  readonly givenUp: number;
  /** 0: never. */
  readonly lastDeliveredAt: number;
  readonly lastGivenUpAt: number;
  readonly lastError: { readonly at: number; readonly reason: string } | undefined;
  readonly health: Health;
}

export const nothingDelivered: DeliveryReport = {
  ...{ delivered: 0, failed: 0, givenUp: 0, lastDeliveredAt: 0, lastGivenUpAt: 0, lastError: undefined },
  health: { kind: "ok" },
};

/** Everything that happened since the last report. */
export interface DeliveryNews extends Omit<DeliveryReport, "health"> {
  /** More or fewer messages that wait. */
  readonly waiting: number;
  /** As it was at the end; undefined: nothing was tried. */
  readonly change: HealthChange | undefined;
}

export type HealthChange =
  | { readonly kind: "ok" }
  | { readonly kind: "failing"; readonly since: number; readonly until: number }
  | { readonly kind: "disabled"; readonly at: number };

export const noNews: DeliveryNews = {
  ...{ delivered: 0, failed: 0, givenUp: 0, lastDeliveredAt: 0, lastGivenUpAt: 0, lastError: undefined },
  ...{ waiting: 0, change: undefined },
};

/** A change that is worth a line in the log. */
export type Change = "failing" | "giving_up" | "recovered" | "disabled";

export function addNews(before: DeliveryNews, after: DeliveryNews): DeliveryNews {
  return {
    ...countsOf(before, after),
    waiting: before.waiting + after.waiting,
    change: changeAfter(before.change, after.change),
  };
}

export function withNews(before: DeliveryReport, news: DeliveryNews): DeliveryReport {
  return { ...countsOf(before, news), health: healthAfter(before.health, news) };
}

/** Compares two reports. Mostly nothing has changed. */
export function changesOf(before: DeliveryReport, after: DeliveryReport): readonly Change[] {
  const changes: Change[] = [];
  const [was, is] = [before.health, after.health];
  if (was.kind !== is.kind) changes.push(is.kind === "ok" ? "recovered" : is.kind);
  const since = is.kind === "failing" ? is.since : 0;
  if (after.givenUp > before.givenUp && before.lastGivenUpAt <= since) changes.push("giving_up");
  return changes;
}

type Counts = Omit<DeliveryReport, "health">;

function countsOf(before: Counts, after: Counts): Counts {
  return {
    delivered: before.delivered + after.delivered,
    failed: before.failed + after.failed,
    givenUp: before.givenUp + after.givenUp,
    lastDeliveredAt: Math.max(before.lastDeliveredAt, after.lastDeliveredAt),
    lastGivenUpAt: Math.max(before.lastGivenUpAt, after.lastGivenUpAt),
    lastError: after.lastError ?? before.lastError,
  };
}

function changeAfter(before: HealthChange | undefined, after: HealthChange | undefined): HealthChange | undefined {
  if (after === undefined || before?.kind === "disabled") return before;
  if (before?.kind !== "failing" || after.kind !== "failing") return after;
  return { ...after, since: Math.min(before.since, after.since) };
}

function healthAfter(health: Health, { change, waiting }: DeliveryNews): Health {
  // Only who puts it again enables it: another instance may still deliver what it had in hand.
  if (health.kind === "disabled") return health;
  const waited = health.kind === "failing" ? health.waiting : 0;
  switch (change?.kind) {
    case undefined:
      return health.kind === "failing" ? { ...health, waiting: Math.max(0, waited + waiting) } : health;
    case "failing": {
      const since = health.kind === "failing" ? Math.min(health.since, change.since) : change.since;
      return { kind: "failing", since, until: change.until, waiting: Math.max(0, waited + waiting) };
    }
    case "ok":
    case "disabled":
      return change;
  }
}
