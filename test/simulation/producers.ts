// The callers that write: at the tail and at sequences, to one segment and to several, with ids and without, alone and
// racing, repeating what they do not know the end of, giving up, and using an id twice.

import type { StoreError } from "../../src/core/errors.ts";
import type { SpaceName } from "../../src/core/ids.ts";
import { parseTransactionId } from "../../src/core/ids.ts";
import type { Ack, LeaseToken, ProduceOptions } from "../../src/store/store.ts";
import { committedOf, judgeChunk, judgeError } from "./answers.ts";
import type { Chance } from "./chance.ts";
import { describeError } from "./history.ts";
import type { Call, Operation, OperationPart } from "./operations.ts";
import { describeOperation, recordsOf } from "./operations.ts";
import type { Instance, World } from "./world.ts";

export type Answer =
  | { readonly kind: "committed" }
  | { readonly kind: "conflict"; readonly expected: number }
  | { readonly kind: "mismatch" }
  /** A newer holder of its lease has written or was granted it, or its token is nobody's. */
  | { readonly kind: "superseded" }
  | { readonly kind: "failed"; readonly effect: "none" | "unknown" | "committed" };

interface AskOptions {
  readonly ack: Ack;
  /** The caller goes away after so long. */
  readonly giveUpMs?: number;
}

/** Codes of answers that mean: not this, also when it is asked for again. */
const refusals = new Set(["sequence_mismatch", "transaction_id_mismatch", "lease_held", "invalid_argument"]);

export class Producers {
  readonly #world: World;
  #calls = 0;
  /** Calls that have not been answered. */
  readonly open = new Set<Call>();

  constructor(world: World) {
    this.#world = world;
  }

  /** One caller: so many requests, most of them one after the other. */
  async run(chance: Chance, requests: number): Promise<void> {
    const { scenario, timeline } = this.#world;
    const { name: space } = chance.pick(scenario.spaces);
    const running: Promise<void>[] = [];
    for (let index = 0; index < requests; index += 1) {
      if (this.#world.verdict.wrong !== undefined) return;
      const request = this.#request(chance, chance.happens(0.2) ? chance.pick(scenario.spaces).name : space);
      if (chance.happens(0.35)) running.push(request);
      else await request;
      await timeline.sleep(scenario.pauseMs * chance.fraction() ** 2);
    }
    await Promise.all(running);
  }

  /** Asks for an operation at one instance and judges each answer. */
  async ask(operation: Operation, instance: Instance, options: AskOptions): Promise<Answer> {
    const { history, timeline } = this.#world;
    const space = this.#world.space(operation.space);
    const call: Call = {
      number: (this.#calls += 1),
      operation,
      instance: instance.name,
      ack: options.ack,
      state: "open",
      beganAt: timeline.now,
      answeredAt: undefined,
      acknowledged: 0,
      lengths: space.lengths(),
    };
    operation.calls.push(call);
    this.open.add(call);
    const who = `call ${call.number}`;
    history.note(instance.name, () => `${who}: ${describeOperation(operation)}, ${options.ack}`);
    const controller = new AbortController();
    if (options.giveUpMs !== undefined)
      timeline.after(options.giveUpMs, () => controller.abort(new Error("the caller gave up")));
    const answered = this.#produce(call, instance, controller.signal).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const outcome = await Promise.race([answered, instance.crashed]);
    this.open.delete(call);
    if (outcome === "crashed" || !instance.alive) {
      call.state = "unknown";
      history.note(instance.name, () => `${who}: never answered`);
      return { kind: "failed", effect: "unknown" };
    }
    call.answeredAt = timeline.now;
    const answer = this.#judge(call, outcome, controller.signal);
    history.note(instance.name, () => `${who}: ${describeAnswer(answer, outcome?.error)}`);
    return answer;
  }

  async #produce(call: Call, instance: Instance, signal: AbortSignal): Promise<void> {
    const { operation, ack } = call;
    const { verdict } = this.#world;
    const space = this.#world.space(operation.space);
    const options: ProduceOptions = {
      ack,
      signal,
      ...(operation.id === undefined ? {} : { transactionId: operation.id }),
      ...(operation.lease === undefined ? {} : { lease: operation.lease }),
    };
    if (operation.together) {
      const records = operation.parts.map(({ segment }, index) => ({ segment, records: recordsOf(operation, index) }));
      const chunks = await instance.store.produceAll(operation.space, records, options);
      if (!instance.alive) return;
      chunks.forEach((chunk, index) => judgeChunk(call, index, 0, chunk, space, verdict));
      call.acknowledged = 1;
      return;
    }
    const [part] = operation.parts;
    for await (const chunk of instance.store.produce(
      operation.space,
      part!.segment,
      recordsOf(operation, 0),
      options,
    )) {
      if (!instance.alive) return;
      judgeChunk(call, 0, call.acknowledged, chunk, space, verdict);
      call.acknowledged += 1;
      call.lengths = space.lengths();
      call.beganAt = this.#world.timeline.now;
    }
  }

  #judge(call: Call, outcome: { readonly error: unknown } | undefined, signal: AbortSignal): Answer {
    const { verdict } = this.#world;
    const { operation } = call;
    const space = this.#world.space(operation.space);
    if (outcome === undefined) {
      call.state = "committed";
      const chunks = operation.parts[0]!.chunkStarts.length;
      verdict.check(
        call.acknowledged === chunks,
        "I1",
        () => `call ${call.number} ended after ${call.acknowledged} of ${chunks} chunks`,
      );
      return { kind: "committed" };
    }
    const gaveUp = signal.aborted && outcome.error === signal.reason;
    const error = gaveUp
      ? undefined
      : judgeError(call, outcome.error, space, { granted: this.#world.register.granted, verdict });
    const effect = error?.effect ?? "none";
    if (effect === "partial") throw new Error("A store tells the effect of one chunk, never of several.");
    call.state = effect;
    if (effect === "none") this.#judgeNone(call, error);
    if (error?.code === "sequence_mismatch") return { kind: "conflict", expected: Number(error.details["expected"]) };
    if (error?.code === "transaction_id_mismatch") return { kind: "mismatch" };
    if (error?.code === "lease_held" || error?.code === "invalid_argument") return { kind: "superseded" };
    return { kind: "failed", effect };
  }

  /**
   * Told that nothing (further) happened: then it is not in the log by this instance's doing, unless that was so before
   * it was asked for, and a repeat was not refused. What lands later is judged when it does.
   */
  #judgeNone(call: Call, error: StoreError | undefined): void {
    const { register, verdict } = this.#world;
    const { operation } = call;
    const space = this.#world.space(operation.space);
    operation.parts.forEach((part, index) => {
      const truth = space.segment(part.segment);
      const landed = committedOf(call, truth, index, call.acknowledged);
      if (landed === undefined) return;
      const node = truth.entries[landed.firstSequence - 1]!.node;
      const instance = register.nodes.get(node);
      const byAnother =
        instance !== call.instance ||
        (landed.landedAt < call.beganAt &&
          operation.calls.some(
            (other) =>
              other !== call &&
              other.instance === instance &&
              // Told that nothing further happened, after this chunk was acknowledged to it.
              (other.state !== "none" || other.acknowledged > call.acknowledged),
          ));
      verdict.check(
        byAnother,
        "I4",
        () => `call ${call.number} of #${operation.number} was told that nothing happened: it is committed`,
      );
      const wasThere = landed.lastSequence <= (call.lengths.get(part.segment) ?? 0);
      const isRefused = operation.id !== undefined && wasThere && error !== undefined && refusals.has(error.code);
      verdict.check(
        !isRefused,
        "I1",
        () =>
          `call ${call.number} repeats #${operation.number}, which is committed, and was refused: ${error?.message}`,
      );
    });
  }

  /**
   * One request of a caller: asked for, and asked again, until it is known what became of it or the caller gives up.
   */
  async #request(chance: Chance, space: SpaceName): Promise<void> {
    let operation = await this.#invent(chance, space);
    const ack: Ack = chance.happens(0.7) ? "applied" : "committed";
    let instance = this.#instance(chance);
    for (let tries = 0; tries < 5; tries += 1) {
      const giveUp = chance.happens(0.06) ? { giveUpMs: chance.pick([1, 20, 300]) * chance.fraction() } : {};
      const asked = [this.ask(operation, instance, { ack, ...giveUp })];
      if (operation.id !== undefined && chance.happens(0.08))
        asked.push(this.ask(operation, this.#instance(chance), { ack }));
      if (operation.id !== undefined && chance.happens(0.04))
        asked.push(this.ask(this.#imitate(chance, operation), this.#instance(chance), { ack }));
      const [answer] = await Promise.all(asked);
      if (this.#world.verdict.wrong !== undefined || answer === undefined) return;
      if (answer.kind === "mismatch" || answer.kind === "superseded") return;
      if (answer.kind === "committed" && !(operation.id !== undefined && chance.happens(0.1))) return;
      if (answer.kind === "conflict") {
        if (chance.happens(0.4)) return;
        operation = await this.#invent(chance, space);
      }
      // Without an id only what is known not to have happened at all may be asked for again.
      const isUntouched =
        answer.kind === "conflict" ||
        (effectOf(answer) === "none" && operation.calls.every(({ acknowledged }) => acknowledged === 0));
      const mayRepeat = operation.id !== undefined || isUntouched;
      if (!mayRepeat || chance.happens(0.15)) return;
      await this.#world.timeline.sleep(chance.pick([0, 5, 60, 500]) * chance.fraction());
      if (!instance.alive || chance.happens(0.4)) instance = this.#instance(chance);
    }
  }

  async #invent(chance: Chance, spaceName: SpaceName): Promise<Operation> {
    const { register, scenario } = this.#world;
    const { segments } = scenario.spaces.find(({ name }) => name === spaceName)!;
    const together = segments.length > 1 && chance.happens(0.2);
    const names = chance.shuffled(segments).slice(0, together ? chance.integer(2, Math.min(3, segments.length)) : 1);
    // Most segments are busy ones: racing is the rule.
    const chosen = together ? names : [chance.happens(0.6) ? segments[0]! : names[0]!];
    const lease = chance.happens(scenario.leaseShare) ? await this.#lease(chance) : undefined;
    const operation: Operation = {
      number: register.operations.length + 1,
      records: register.operations.length + 1,
      space: spaceName,
      id: chance.happens(scenario.keylessShare) ? undefined : parseTransactionId(chance.uuid()),
      lease,
      parts: chosen.map((segment): OperationPart => this.#part(chance, spaceName, segment, together)),
      together,
      calls: [],
    };
    register.operations.push(operation);
    return operation;
  }

  /** The newest token, a newer one, one that has passed on, or one that nobody was given. */
  async #lease(chance: Chance): Promise<LeaseToken> {
    const key = chance.pick(["a", "b"]);
    const newest = this.#world.register.granted.get(key) ?? (await this.#world.grant(key));
    switch (chance.pick(["newest", "newest", "newest", "newer", "older", "older", "invented"])) {
      case "newer":
        return { key, token: await this.#world.grant(key) };
      case "older":
        return { key, token: Math.max(1, newest - 1) };
      case "invented":
        return { key, token: newest + 1_000_000 };
      default:
        return { key, token: newest };
    }
  }

  #part(chance: Chance, spaceName: SpaceName, segment: OperationPart["segment"], together: boolean): OperationPart {
    const isSequenced = chance.happens(0.45);
    const length = this.#world.space(spaceName).segment(segment).length;
    const off = chance.happens(0.75) ? 0 : chance.integer(-3, 2);
    const firstSequence = isSequenced ? Math.max(1, length + 1 + off) : undefined;
    const size = together || chance.happens(0.98) ? "small" : chance.pick(["many", "large"]);
    const count = size === "small" ? chance.pick([1, 1, 2, 3]) : size === "many" ? 1_001 : 2;
    const chunkStarts = size === "small" ? [0] : [0, count - 1];
    const gapAt = size === "small" && isSequenced && count > 1 && chance.happens(0.05) ? 1 : undefined;
    return {
      segment,
      count,
      firstSequence,
      gapAt,
      fillBytes: size === "large" ? 400 * 1024 : chance.pick([0, 0, 10, 200]),
      chunkStarts,
    };
  }

  /** Something that is nearly the same: the id for other records or places, or the records under another id. */
  #imitate(chance: Chance, original: Operation): Operation {
    const { operations } = this.#world.register;
    const number = operations.length + 1;
    const own = { ...original, number, records: number, calls: [] };
    const imitation = this.#likeness(chance.fork(`likeness ${number}`), original, own);
    operations.push(imitation);
    return imitation;
  }

  #likeness(chance: Chance, original: Operation, own: Operation): Operation {
    const same = { ...own, records: original.records };
    const [first] = original.parts;
    switch (chance.pick(["records", "records at the tail", "id", "fewer segments", "places"])) {
      case "id":
        return { ...same, id: parseTransactionId(chance.uuid()) };
      case "fewer segments":
        return original.together && first !== undefined ? { ...same, parts: [first] } : own;
      case "places":
        // So far ahead that it never fits: it is a conflict, or the id is taken.
        return {
          ...same,
          parts: original.parts.map((part) => ({ ...part, firstSequence: 1_000_000, gapAt: undefined })),
        };
      case "records at the tail":
        return {
          ...own,
          parts: original.parts.map((part) => ({ ...part, firstSequence: undefined, gapAt: undefined })),
        };
      default:
        return own;
    }
  }

  #instance(chance: Chance): Instance {
    const { live } = this.#world;
    return live[0] === undefined ? this.#world.start({ isMonitor: false }) : chance.pick(live);
  }
}

function effectOf(answer: Answer): string {
  return answer.kind === "failed" ? answer.effect : answer.kind;
}

function describeAnswer(answer: Answer, error: unknown): string {
  return error === undefined
    ? answer.kind
    : `${answer.kind}${"effect" in answer ? `, effect ${answer.effect}` : ""}: ${describeError(error)}`;
}
