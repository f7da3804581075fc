// Callers that produce all the time, each request with its place in the ledger; retries, where a key makes them safe.

import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../simulation/chance.ts";
import type { Answer, PostOptions } from "./calls.ts";
import { pageOf, placesOf, StoreCalls } from "./calls.ts";
import type { Claim, Ledger } from "./ledger.ts";

export interface Target {
  readonly store: string;
  readonly spaces: readonly string[];
  readonly segmentsPerSpace: number;
  /** Where to send the next request: somewhere that answers, as far as is known. */
  readonly url: () => Promise<string>;
}

/** What happened on the way, apart from what became of the records. */
export interface Tally {
  requests: number;
  transactions: number;
  duplicates: number;
  conflicts: number;
  /** Answers with effect `unknown`, with effect `committed`, and no answer at all. */
  unknowns: number;
  durable: number;
  broken: number;
  /** Refusals for now: 429 and 503 with effect `none`. */
  refused: number;
  reads: number;
}

/** One request: what it is for, and how to send it. */
interface Request {
  readonly keyed: boolean;
  readonly sequence: number | undefined;
  /** One for each transaction or group of them that is all or nothing, in their order. */
  readonly claims: readonly Claim[];
  readonly send: (calls: StoreCalls, options: PostOptions) => Promise<Answer>;
}

/** Requests without a key, of all: keys repair, and so hide, mistakes. */
const keylessShare = 0.25;
/** A request with a key is repeated as long as nobody says what became of it. */
const triesMax = 60;
const chunkRecordsMax = 1_000;

export class Producers {
  readonly tally: Tally = {
    requests: 0,
    transactions: 0,
    duplicates: 0,
    conflicts: 0,
    unknowns: 0,
    durable: 0,
    broken: 0,
    refused: 0,
    reads: 0,
  };
  readonly problems: string[] = [];
  readonly #target: Target;
  readonly #ledger: Ledger;
  readonly #chance: Chance;
  /** As far as answers told. */
  readonly #lastSequences = new Map<string, number>();
  #count = 0;

  constructor(target: Target, ledger: Ledger, chance: Chance) {
    this.#target = target;
    this.#ledger = ledger;
    this.#chance = chance;
  }

  /** `width` callers, one request each at a time, until the signal. */
  async run(width: number, over: AbortSignal): Promise<void> {
    const one = async (): Promise<void> => {
      while (!over.aborted) await this.#perform(this.#next());
    };
    await Promise.all(Array.from({ length: width }, one));
  }

  #next(): Request {
    const chance = this.#chance;
    const space = chance.pick(this.#target.spaces);
    const keyed = !chance.happens(keylessShare);
    switch (chance.weighted({ tail: 10, sequenced: 5, together: 3, large: 0.5, many: 0.1 })) {
      case "tail":
        return this.#produce(space, keyed, this.#texts(chance.integer(1, 5)), undefined);
      case "sequenced":
        return this.#produce(space, keyed, this.#texts(chance.integer(1, 3)), "next");
      case "large":
        return this.#produce(space, keyed, this.#texts(chance.integer(1, 3), 60_000), undefined);
      case "many":
        return this.#produce(space, keyed, this.#texts(chunkRecordsMax + chance.integer(1, 200)), undefined);
      case "together":
        return this.#together(space, keyed);
    }
  }

  #produce(space: string, keyed: boolean, texts: readonly string[], at: "next" | undefined): Request {
    const segment = this.#segment();
    const sequence = at === undefined ? undefined : (this.#lastSequences.get(`${space} ${segment}`) ?? 0) + 1;
    const claims: Claim[] = [];
    for (let from = 0; from < texts.length; from += chunkRecordsMax) {
      claims.push(this.#ledger.open(space, [{ segment, texts: texts.slice(from, from + chunkRecordsMax) }]));
    }
    const what = sequence === undefined ? { texts } : { texts, sequence };
    return { keyed, sequence, claims, send: (calls, options) => calls.produce(space, segment, what, options) };
  }

  #together(space: string, keyed: boolean): Request {
    const names = Array.from({ length: this.#target.segmentsPerSpace }, (_, index) => `s${index}`);
    const parts = this.#chance
      .shuffled(names)
      .slice(0, this.#chance.integer(2, 3))
      .map((segment) => ({ segment, texts: this.#texts(this.#chance.integer(1, 3)) }));
    const claims = [this.#ledger.open(space, parts)];
    return { keyed, sequence: undefined, claims, send: (calls, options) => calls.produceAll(space, parts, options) };
  }

  async #perform(request: Request): Promise<void> {
    const key = request.keyed ? this.#chance.uuid() : undefined;
    const ack = this.#chance.happens(0.2) ? "committed" : "applied";
    let mayBeThere = false;
    for (let tries = 1; ; tries += 1) {
      const url = await this.#target.url();
      this.tally.requests += 1;
      const answer = await request.send(new StoreCalls(url, this.#target.store), { key, ack });
      if (answer.kind === "ok") {
        this.#acknowledge(request, answer.json);
        if (ack === "applied" && this.#chance.happens(0.1)) await this.#readBack(request);
        return;
      }
      const effect = this.#effectOf(request, answer);
      if (effect === "conflict") return;
      if (effect === "none" && !mayBeThere) {
        // Half of what was said not to have happened stays so, and is looked for.
        if (this.#chance.happens(0.5)) {
          this.#settle(request, "none");
          return;
        }
      } else {
        mayBeThere = true;
        if (effect === "committed") this.#settle(request, "committed");
        if (!request.keyed) return;
      }
      if (tries >= triesMax) return;
      const waitMs = answer.kind === "problem" ? (answer.problem.retryAfterMs ?? 0) : 0;
      await sleep(Math.min(waitMs, 1_000) + this.#chance.between(10, 200));
    }
  }

  #acknowledge(request: Request, json: unknown): void {
    const { places, duplicate } = placesOf(json);
    this.tally.transactions += places.length;
    if (duplicate) this.tally.duplicates += 1;
    let at = 0;
    for (const claim of request.claims) {
      claim.fate = { kind: "acknowledged", places: places.slice(at, at + claim.parts.length) };
      for (const [index, { segment }] of claim.parts.entries()) {
        const key = `${claim.space} ${segment}`;
        const last = Math.max(places[at + index]?.lastSequence ?? 0, this.#lastSequences.get(key) ?? 0);
        this.#lastSequences.set(key, last);
      }
      at += claim.parts.length;
    }
  }

  #effectOf(request: Request, answer: Exclude<Answer, { kind: "ok" }>): "none" | "unknown" | "committed" | "conflict" {
    if (answer.kind === "broken") {
      this.tally.broken += 1;
      return "unknown";
    }
    const { code, detail, effect = "none", status } = answer.problem;
    if (status === 409 && code === "sequence_mismatch" && request.sequence !== undefined) {
      this.#conflict(request, request.sequence, answer.problem);
      return "conflict";
    }
    if (status !== 429 && status !== 503 && status !== 424)
      this.problems.push(`an answer ${status} ${code}: ${detail}`);
    // Repeated blindly, it could be there twice: only with a key may the status ask for that.
    if (
      status === 424
        ? request.keyed || effect === "none"
        : effect !== "none" && !request.keyed && request.sequence === undefined
    )
      this.problems.push(
        `an answer ${status} ${code} with effect ${effect} to a request ${request.keyed ? "with" : "without"} a key`,
      );
    if (effect === "none") this.tally.refused += 1;
    else this.tally[effect === "committed" ? "durable" : "unknowns"] += 1;
    // Some chunks of the request are committed; which ones stays open here.
    return effect === "partial" ? "unknown" : effect;
  }

  #conflict(
    request: Request,
    sequence: number,
    problem: { received?: number; winner?: string; lastSequence?: number },
  ): void {
    this.tally.conflicts += 1;
    const [claim] = request.claims;
    const segment = claim?.parts[0]?.segment;
    if (claim === undefined || segment === undefined) return;
    this.#settle(request, "none");
    if (problem.winner !== undefined)
      claim.winner = { segment, sequence: problem.received ?? sequence, id: problem.winner };
    const key = `${claim.space} ${segment}`;
    this.#lastSequences.set(key, Math.max(problem.lastSequence ?? 0, this.#lastSequences.get(key) ?? 0));
  }

  #settle({ claims }: Request, kind: "none" | "committed"): void {
    for (const claim of claims) claim.fate = { kind };
  }

  /** An entry that is acknowledged as applied is there, at every instance. */
  async #readBack({ claims }: Request): Promise<void> {
    for (const { fate, parts, space } of claims) {
      if (fate.kind !== "acknowledged") continue;
      for (const [index, { segment, texts }] of parts.entries()) {
        const { firstSequence = 0, lastSequence = 0 } = fate.places[index] ?? {};
        const calls = new StoreCalls(await this.#target.url(), this.#target.store);
        const answer = await calls.segment(space, segment, firstSequence, lastSequence);
        if (answer.kind !== "ok") continue;
        this.tally.reads += 1;
        const read = pageOf(answer.json).entries.map(({ payload }) => payload);
        if (read.join("\n") !== texts.join("\n")) {
          this.problems.push(
            `${space}/${segment} ${firstSequence} was acknowledged and not read: ${read.length} entries`,
          );
        }
      }
    }
  }

  #segment(): string {
    return `s${this.#chance.integer(0, this.#target.segmentsPerSpace - 1)}`;
  }

  #texts(count: number, padding = 80): string[] {
    this.#count += 1;
    return Array.from({ length: count }, (_, index) => {
      return `${this.#count}.${index} ${this.#chance.uuid().repeat(this.#chance.integer(0, Math.ceil(padding / 36)))}`;
    });
  }
}
