// What a seed does to requests: the fault of each, by kinds of fault and by what the request is for.

import type { Failure, Fault } from "../doubles/fault.ts";
import { faults } from "../doubles/fault.ts";
import type { SimulatedRequest } from "../doubles/simulated-table.ts";
import { openLogsPartition } from "../../src/store/azure/rows/keys.ts";
import type { Chance } from "./chance.ts";

export const faultKinds = [
  "slow",
  "failed",
  "throttled",
  "denied",
  "lost",
  "timed out, no effect",
  "timed out after the effect",
  "landed around the time-out",
  "landed around the retry",
  "landed long after",
  "repeated",
  "repeated and lost",
  "short page",
  "crash",
  "outage",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** What requests are for. */
const purposes = ["commit", "head", "apply", "registry", "inventory", "read", "notify"] as const;
export type Purpose = (typeof purposes)[number];

export interface WeatherOptions {
  readonly chance: Chance;
  /** Which partitions are logs and which are inventory. */
  readonly isLog: (partition: string) => boolean;
  readonly isInventory: (partition: string) => boolean;
  readonly crash: (client: string) => boolean;
  readonly note: (who: string, what: () => string) => void;
}

export class Weather {
  readonly counts = new Map<FaultKind, number>();
  /** The service gives no answer for partitions, clients, or `<purpose> <partition>` in here. */
  readonly outages = new Set<string>();
  readonly #options: WeatherOptions;
  readonly #chance: Chance;
  readonly #rates: Readonly<Record<Purpose, number>>;
  readonly #weights: Readonly<Record<Exclude<FaultKind, "outage">, number>>;
  readonly #timeoutMs: number;
  readonly #requestMs: number;
  #calm = false;

  constructor(options: WeatherOptions) {
    const { chance } = options;
    this.#options = options;
    this.#chance = chance;
    const base = chance.pick([0.01, 0.05, 0.12, 0.25]);
    const storm = chance.pick(purposes);
    const rates = Object.fromEntries(purposes.map((purpose) => [purpose, base]));
    rates[storm] = Math.min(0.5, base * chance.pick([1, 2, 4]));
    this.#rates = rates as Record<Purpose, number>;
    const some = (weight: number): number => (chance.happens(0.7) ? weight * chance.fraction() : 0);
    this.#weights = {
      slow: 2,
      failed: some(3),
      throttled: some(2),
      denied: some(0.2),
      lost: some(3),
      "timed out, no effect": some(2),
      "timed out after the effect": some(3),
      "landed around the time-out": some(3),
      "landed around the retry": some(3),
      "landed long after": some(3),
      repeated: some(2),
      "repeated and lost": some(2),
      "short page": some(4),
      crash: some(0.5),
    };
    this.#timeoutMs = chance.between(60, 400);
    this.#requestMs = chance.pick([1, 4, 15]);
  }

  /** From now on requests are slow at worst. */
  calm(): void {
    this.#calm = true;
    this.outages.clear();
  }

  faultOf(request: SimulatedRequest): Fault {
    const purpose = this.#purposeOf(request);
    const where = request.kind === "create" ? "" : request.partition;
    const isOut = [where, request.client, `${purpose} ${where}`].some((one) => this.outages.has(one));
    if (isOut) return this.#outage();
    return this.#fault(
      purpose,
      request.client,
      request.kind !== "get" && request.kind !== "query",
      request.kind === "query",
    );
  }

  faultOfMessage(client: string): Fault {
    if (this.outages.has("queue") || this.outages.has(client)) return this.#outage();
    return this.#fault("notify", client, true, false);
  }

  #outage(): Fault {
    this.#count("outage");
    return faults.failed({ kind: "unavailable" }, this.#quick());
  }

  #fault(purpose: Purpose, client: string, isWrite: boolean, isQuery: boolean): Fault {
    if (this.#calm || !this.#chance.happens(this.#rates[purpose])) return faults.answered(this.#quick(), this.#quick());
    const kind = this.#chance.weighted(this.#weights);
    const fault = this.#faultFor(kind, client, isWrite, isQuery);
    if (fault === undefined) return faults.answered(this.#quick(), this.#quick());
    this.#count(kind);
    this.#options.note(client, () => `  fault: ${purpose} ${kind} (${describeFault(fault)})`);
    return fault;
  }

  #faultFor(kind: Exclude<FaultKind, "outage">, client: string, isWrite: boolean, isQuery: boolean): Fault | undefined {
    const chance = this.#chance;
    const timeout = this.#timeoutMs;
    const unavailable: Failure = { kind: "unavailable" };
    switch (kind) {
      case "slow":
        return faults.answered(chance.between(1, timeout / 2), chance.between(1, timeout / 2));
      case "failed":
        return faults.failed(unavailable, chance.between(1, 50));
      case "throttled":
        return faults.throttled(this.#quick(), chance.happens(0.5) ? chance.integer(10, 300) : undefined);
      case "denied":
        return faults.failed({ kind: "denied" }, this.#quick());
      case "short page":
        return isQuery ? faults.cut(chance.pick([0, 0, 1, 1, 2, 3]), this.#quick(), this.#quick()) : undefined;
      case "crash":
        return this.#options.crash(client)
          ? faults.dropped(chance.happens(0.6) ? chance.between(0, timeout) : undefined)
          : undefined;
      case "timed out, no effect":
        return faults.timedOut(timeout);
      default:
        return isWrite ? this.#uncertain(kind) : faults.failed(unavailable, chance.between(1, timeout));
    }
  }

  /** For writes whose caller does not hear what happened. */
  #uncertain(kind: FaultKind): Fault | undefined {
    const chance = this.#chance;
    const timeout = this.#timeoutMs;
    const first = this.#quick();
    switch (kind) {
      case "lost":
        return faults.answerLost(first, first + this.#quick());
      case "timed out after the effect":
        return faults.timedOut(timeout, chance.between(0, timeout));
      case "landed around the time-out":
        return faults.timedOut(timeout, Math.max(0, timeout + chance.between(-3, 12)));
      case "landed around the retry":
        return faults.timedOut(timeout, timeout + chance.between(20, 150));
      case "landed long after":
        return faults.timedOut(
          timeout,
          timeout + chance.pick([20, 100, 400, 2_000, 8_000, 30_000]) * chance.between(0.2, 1),
        );
      case "repeated":
        return faults.repeated(first, first + this.#quick() * chance.pick([0.1, 1, 8]), this.#quick());
      case "repeated and lost": {
        const second = first + chance.pick([1, 30, 300, 3_000]) * chance.fraction();
        const heard = first + this.#quick() * chance.pick([1, 5]);
        return {
          arrivesAtMs: [first, second],
          outcome: { kind: "failure", atMs: heard, failure: { kind: "unavailable" } },
        };
      }
      default:
        return undefined;
    }
  }

  #purposeOf(request: SimulatedRequest): Purpose {
    if (request.kind === "create") return "registry";
    if (request.partition === openLogsPartition) return "registry";
    if (this.#options.isInventory(request.partition)) return "inventory";
    if (request.kind !== "submit") return this.#options.isLog(request.partition) ? "head" : "read";
    return this.#options.isLog(request.partition) ? "commit" : "apply";
  }

  #quick(): number {
    return this.#requestMs * (0.2 + this.#chance.fraction());
  }

  #count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}

function describeFault({ arrivesAtMs, outcome }: Fault): string {
  const arrives =
    arrivesAtMs.length === 0
      ? "never arrives"
      : `arrives after ${arrivesAtMs.map((ms) => ms.toFixed(1)).join(" and ")}`;
  if (outcome.kind === "failure") return `${arrives}, hears ${outcome.failure.kind} after ${outcome.atMs.toFixed(1)}`;
  return outcome.kind === "nothing" ? `${arrives}, hears nothing` : arrives;
}
