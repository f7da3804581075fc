// Workers of a consumer: they fetch, handle, acknowledge and refuse; they stall past their lease and come back, die and
// are born again under their name; what they asked for is lost, doubled, and comes again long after.

import type { Cursor, WorkerName } from "../../../src/core/ids.ts";
import { parseWorkerName } from "../../../src/core/ids.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { Acknowledged, Fetched } from "../../../src/consumers/consumers.ts";
import { encodeCursor } from "../../../src/codec/cursor.ts";
import type { Chance } from "../chance.ts";
import type { Call, Known, Said, Told } from "./ledger.ts";
import type { Machine, Machines } from "./machines.ts";
import { consumerName } from "./machines.ts";

/** What became of an acknowledgement or a failure. */
type Answer = Acknowledged | { readonly outcome: "lost"; readonly claim: undefined };

interface Todo {
  claim: string;
  /** What was delivered and is not acknowledged, as far as it knows. */
  entries: Cursor[];
  /** Handled, and not acknowledged yet. */
  done: Cursor | undefined;
}

export interface Manner {
  readonly leaseMs: number;
  readonly entriesMax: number;
  /** Of an answer, that it is lost on its way. */
  readonly lostShare: number;
  /** Of a call, that it is made twice, or again much later. */
  readonly repeatShare: number;
  readonly stallShare: number;
  readonly deathShare: number;
  /** Of a partition, that it is given up for no reason. */
  readonly releaseShare: number;
}

export const steady = { lostShare: 0, repeatShare: 0, stallShare: 0, deathShare: 0, releaseShare: 0 };

type Held = Parameters<Machine["consumers"]["fetch"]>[1]["held"];

export class Worker {
  readonly name: WorkerName;
  readonly #machines: Machines;
  readonly #chance: Chance;
  readonly #manner: Manner;
  readonly #report: (wrong: string) => void;
  readonly #held = new Map<number, Todo>();
  /** Nothing is wrong with any entry any more. */
  isCured = false;
  isOver = false;
  /** Gives up all that it holds, and ends. */
  leaves = false;

  constructor(name: string, machines: Machines, chance: Chance, manner: Manner, report: (wrong: string) => void) {
    this.name = parseWorkerName(name);
    this.#machines = machines;
    this.#chance = chance;
    this.#manner = manner;
    this.#report = report;
  }

  async run(): Promise<void> {
    const { timeline } = this.#machines;
    while (!this.isOver) {
      if (await this.#fetch()) await this.#handle();
      await timeline.sleep(this.#manner.leaseMs * this.#chance.between(0.02, 0.12));
    }
  }

  async #fetch(): Promise<boolean> {
    const chance = this.#chance;
    const isLeaving = this.leaves;
    const held = [...this.#held].map(([, { claim, done }]) => {
      return { claim, offset: done, release: isLeaving || chance.happens(this.#manner.releaseShare) };
    });
    const request = { request: chance.uuid(), held };
    const entriesMax = this.#manner.entriesMax;
    const ask = (machine: Machine): Promise<Fetched> => {
      const signal = new AbortController().signal;
      return machine.consumers.fetch(consumerName, { worker: this.name, entriesMax, signal, ...request });
    };
    const asked = (): Promise<Fetched | undefined> => this.#ask("fetch", saidOfFetch(held), ask);
    let fetched = await this.#insist(asked);
    for (let tries = 0; fetched === undefined && tries < 4 && !this.isOver; tries += 1) {
      await this.#machines.timeline.sleep(chance.between(10, 500));
      if (chance.happens(this.#manner.deathShare)) break;
      fetched = await this.#insist(asked);
    }
    if (fetched === undefined) {
      // It knows nothing of what it holds now: as if it had died.
      if (chance.happens(0.5)) this.#held.clear();
      return false;
    }
    this.#take(fetched);
    if (isLeaving) this.isOver = true;
    return true;
  }

  #take({ deliveries }: Fetched): void {
    const former = new Map(this.#held);
    this.#held.clear();
    for (const { partition, claim, entries } of deliveries) {
      const known = former.get(partition);
      const left = entries.length > 0 ? entries.map(({ entry }) => encodeCursor(entry)) : (known?.entries ?? []);
      this.#held.set(partition, { claim, entries: left, done: entries.length > 0 ? undefined : known?.done });
    }
  }

  async #handle(): Promise<void> {
    const chance = this.#chance;
    const { timeline } = this.#machines;
    for (const [number, todo] of [...this.#held]) {
      let handled = 0;
      const most = chance.happens(0.7) ? todo.entries.length : chance.integer(0, todo.entries.length);
      while (handled < most) {
        if (chance.happens(this.#manner.deathShare)) return this.#die();
        await timeline.sleep(chance.between(0, this.#manner.leaseMs / 200));
        if (chance.happens(this.#manner.stallShare))
          await timeline.sleep(this.#manner.leaseMs * chance.between(0.8, 2.2));
        const offset = todo.entries[handled]!;
        const kind = this.isCured ? "good" : this.#kindOf(offset);
        if (kind === "deadly") return this.#die();
        if (kind === "bad") {
          if (!(await this.#refuse(number, todo, offset))) return;
          break;
        }
        handled += 1;
        todo.done = offset;
        if (chance.happens(0.25) && !(await this.#acknowledge(number, todo))) break;
      }
    }
  }

  #kindOf(offset: Cursor): Known["kind"] {
    return this.#machines.ledger.entries.get(offset)?.kind ?? "good";
  }

  async #die(): Promise<void> {
    this.#held.clear();
    await this.#machines.timeline.sleep(this.#manner.leaseMs * this.#chance.pick([0.01, 0.5, 1.5]));
  }

  /** False: the partition is another's. */
  async #acknowledge(number: number, todo: Todo): Promise<boolean> {
    const offset = this.#chance.happens(0.2) ? undefined : todo.done;
    const { claim } = todo;
    const said = saidOf(claim, offset === undefined ? "keep" : "acknowledge", offset);
    return this.#settle(number, todo, said, (machine) => {
      return machine.consumers.acknowledge(consumerName, claim, offset, false);
    });
  }

  async #refuse(number: number, todo: Todo, offset: Cursor): Promise<boolean> {
    const action = this.#chance.pick(["retry", "retry", "retry", "park", "skip"] as const);
    const { claim } = todo;
    // What it began to acknowledge before it knew.
    const isHasty = this.#manner.repeatShare > 0 && this.#chance.happens(0.5);
    if (isHasty) this.#acknowledgeLate(claim, todo.entries.at(-1)!);
    const failure = { offset, action, reason: "It does not work.", delayMs: undefined };
    const isGoing = await this.#settle(number, todo, saidOf(claim, action, offset), (machine) => {
      return machine.consumers.fail(consumerName, claim, failure);
    });
    todo.entries = [];
    todo.done = undefined;
    return isGoing;
  }

  #acknowledgeLate(claim: string, offset: Cursor): void {
    const lateMs = this.#manner.leaseMs * this.#chance.between(0.02, 0.3);
    const ask = (machine: Machine): Promise<Answer> =>
      machine.consumers.acknowledge(consumerName, claim, offset, false);
    const said = [saidOf(claim, "acknowledge", offset)];
    void this.#machines.timeline.sleep(lateMs).then(() => this.#ask("settle", said, ask));
  }

  async #settle(
    number: number,
    todo: Todo,
    said: Said,
    ask: (machine: Machine) => Promise<Acknowledged>,
  ): Promise<boolean> {
    const answer = await this.#insist(() => this.#ask<Answer>("settle", [said], ask));
    if (answer === undefined) return true;
    if (answer.claim === undefined) {
      this.#held.delete(number);
      return false;
    }
    todo.claim = answer.claim;
    if (answer.outcome === "over") todo.entries = [];
    return true;
  }

  /** Now and then twice at the same time, or again when it is long over. */
  async #insist<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const chance = this.#chance;
    if (chance.happens(this.#manner.repeatShare)) {
      const lateMs = this.#manner.leaseMs * chance.pick([0.01, 0.2, 1, 2.5]) * chance.fraction();
      void this.#machines.timeline.sleep(lateMs).then(ask);
    }
    const answer = await ask();
    return chance.happens(this.#manner.lostShare) ? undefined : answer;
  }

  async #ask<T extends Fetched | Answer>(
    kind: Call["kind"],
    said: readonly Said[],
    ask: (machine: Machine) => Promise<T>,
  ): Promise<T | undefined> {
    const { ledger, timeline } = this.#machines;
    await timeline.sleep(this.#chance.between(0, 20));
    const machine = this.#machines.pick(this.#chance);
    const call: Call = {
      ...{ kind, worker: `${this.name} at ${machine.name}`, began: ledger.next(), said, ended: Infinity },
      ...{ told: [], lost: [], verdict: undefined },
    };
    ledger.calls.push(call);
    const answered = ask(machine).catch((error: unknown) => this.#failed(call, error));
    const answer = (await Promise.race([answered, machine.crashed])) as T | undefined;
    if (answer === undefined) return undefined;
    call.ended = ledger.next();
    if ("deliveries" in answer) {
      call.told = toldOf(answer);
      call.lost = answer.lost;
      return answer;
    }
    call.verdict = answer.outcome;
    return answer;
  }

  #failed(call: Call, error: unknown): unknown {
    if (error instanceof StoreError) {
      if (error.code === "lease_held") return { outcome: "lost", claim: undefined } satisfies Answer;
      if (["storage_unavailable", "throttled", "overloaded", "not_found"].includes(error.code)) return undefined;
    }
    this.#report(`a ${call.kind} of ${call.worker} ended with ${error instanceof Error ? error.stack : String(error)}`);
    return undefined;
  }
}

function saidOfFetch(held: Held): readonly Said[] {
  return held.map(({ claim, offset }) => saidOf(claim, offset === undefined ? "keep" : "acknowledge", offset));
}

interface Opened {
  readonly life: string;
  readonly partition: number;
  readonly token: number;
  readonly delivery: number;
  readonly row: readonly (readonly [string, string, string])[];
}

/** What a claim says: no worker could tell. */
function opened(claim: string): Opened {
  return JSON.parse(Buffer.from(claim.split(".")[0] ?? "", "base64url").toString()) as Opened;
}

function saidOf(claim: string, how: Said["how"], offset: Cursor | undefined): Said {
  const { life, partition: number, token, delivery } = opened(claim);
  return { life, number, token, delivery, how, offset };
}

function toldOf({ deliveries }: Fetched): readonly Told[] {
  return deliveries.map(({ claim, entries, isReplay, trimmed }) => {
    const { life, partition: number, token, delivery, row } = opened(claim);
    const generation = Number(row.find(([name]) => name === "generation")?.[2]);
    return {
      ...{ life, number, generation, token, delivery, isReplay, isTrimmed: trimmed !== undefined },
      entries: entries.map(({ entry, key }) => ({ offset: encodeCursor(entry), key })),
    };
  });
}
