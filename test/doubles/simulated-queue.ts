// The queue port in memory, with the same faults of requests as the simulated table: lost, late, repeated, never heard
// of.
//
// Promise: a message is there from its arrival on, once for each arrival, whatever its sender heard.

import type { Clock } from "../../src/core/clock.ts";
import { simulate, type Failure, type Fault } from "./fault.ts";
import { checkMessage, checkQueueName, queueFailure, type QueueAccount } from "../../src/notify/queue.ts";

interface Message {
  readonly id: string;
  readonly text: string;
  /** On the clock that only moves forward. */
  readonly visibleAt: number;
}

/** What a plan sees of a send. */
export interface SimulatedSend {
  /** 1, 2, 3 ... over all clients of the account. */
  readonly number: number;
  /** The sender: the name given to `connect`. */
  readonly client: string;
  readonly queue: string;
  readonly text: string;
}

export type QueueFaultPlan = (send: SimulatedSend) => Fault | undefined;

export interface SimulatedQueuesOptions {
  readonly clock: Clock;
  readonly plan?: QueueFaultPlan;
}

export interface SimulatedQueueClient extends QueueAccount {
  /** The instance dies: it hears nothing any more, and what it sends now never leaves. */
  crash(): void;
}

export class SimulatedQueues implements QueueAccount {
  readonly #clock: Clock;
  readonly #messages = new Map<string, Message[]>();
  readonly #own: QueueAccount;
  #plan: QueueFaultPlan;
  #sends = 0;

  constructor(options: SimulatedQueuesOptions) {
    this.#clock = options.clock;
    this.#plan = options.plan ?? (() => undefined);
    this.#own = this.connect("");
  }

  queue(name: string): ReturnType<QueueAccount["queue"]> {
    return this.#own.queue(name);
  }

  connect(client: string): SimulatedQueueClient {
    let alive = true;
    return {
      queue: (name) => {
        checkQueueName(name);
        return {
          name,
          send: async (text, signal) => {
            checkMessage(text);
            if (signal?.aborted) throw queueFailure("storage_unavailable", "the sender gave up", signal.reason);
            // A dead sender waits for ever.
            if (!alive) return new Promise(() => undefined);
            await this.#send(client, name, text, 0, () => alive);
          },
          sendLater: async (text, delayMs) => {
            checkMessage(text);
            if (!alive) return new Promise(() => undefined);
            const id = await this.#send(client, name, text, Math.ceil(delayMs / 1_000) * 1_000, () => alive);
            return { id, receipt: id };
          },
          takeBack: ({ id }) => {
            const messages = this.#queue(name);
            const at = messages.findIndex((message) => message.id === id);
            if (alive && at >= 0) messages.splice(at, 1);
            return Promise.resolve();
          },
          create: () => {
            this.messages(name);
            return Promise.resolve();
          },
          count: () => Promise.resolve(this.#queue(name).length),
        };
      },
      crash: () => {
        alive = false;
      },
    };
  }

  /** From now on; without one nothing fails. */
  follow(plan: QueueFaultPlan | undefined): void {
    this.#plan = plan ?? (() => undefined);
  }

  /** What may be received from a queue now, oldest first. */
  messages(name: string): readonly string[] {
    return this.#visible(name).map(({ text }) => text);
  }

  /** What nobody may receive yet: for how long, ms, and the text. */
  delayed(name: string): readonly { readonly ms: number; readonly text: string }[] {
    const now = this.#clock.elapsed();
    return this.#queue(name)
      .filter(({ visibleAt }) => visibleAt > now)
      .map(({ visibleAt, text }) => ({ ms: visibleAt - now, text }));
  }

  /** Takes the oldest message that may be received. */
  take(name: string): string | undefined {
    const [first] = this.#visible(name);
    if (first === undefined) return undefined;
    const messages = this.#queue(name);
    messages.splice(messages.indexOf(first), 1);
    return first.text;
  }

  #visible(name: string): readonly Message[] {
    return this.#queue(name).filter(({ visibleAt }) => visibleAt <= this.#clock.elapsed());
  }

  async #send(client: string, queue: string, text: string, delayMs: number, listens: () => boolean): Promise<string> {
    const number = (this.#sends += 1);
    const id = String(number);
    await simulate({
      clock: this.#clock,
      fault: this.#plan({ number, client, queue, text }),
      arrive: (): void => {
        this.#queue(queue).push({ id, text, visibleAt: this.#clock.elapsed() + delayMs });
      },
      fail: ({ kind }: Failure) => queueFailure(kind === "throttled" ? "throttled" : "storage_unavailable", kind),
      listens,
    });
    return id;
  }

  #queue(name: string): Message[] {
    const messages = this.#messages.get(name) ?? [];
    this.#messages.set(name, messages);
    return messages;
  }
}
