// The queue port in memory, with the same fates of requests as the simulated table: lost, late, repeated, never heard of.
//
// Promise: a message is there from its arrival on, once for each arrival, whatever its sender heard.

import type { Clock } from "../../src/core/clock.ts";
import { deliver, type Failure, type Fate } from "./fate.ts";
import { checkMessage, checkQueueName, queueFailure, type QueueAccount } from "../../src/notify/queue.ts";

/** What a plan sees of a send. */
export interface SimulatedSend {
  /** 1, 2, 3 ... over all clients of the account. */
  readonly number: number;
  /** Who sends: the name given to `connect`. */
  readonly client: string;
  readonly queue: string;
  readonly text: string;
}

export type QueueFaultPlan = (send: SimulatedSend) => Fate | undefined;

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
  readonly #messages = new Map<string, string[]>();
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
            return this.#send(client, name, text, () => alive);
          },
          create: () => {
            this.messages(name);
            return Promise.resolve();
          },
          count: () => Promise.resolve(this.messages(name).length),
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

  /** What waits in a queue, oldest first. */
  messages(name: string): readonly string[] {
    return this.#queue(name);
  }

  /** Takes the oldest message. */
  take(name: string): string | undefined {
    return this.#queue(name).shift();
  }

  #send(client: string, queue: string, text: string, listens: () => boolean): Promise<void> {
    this.#sends += 1;
    return deliver({
      clock: this.#clock,
      fate: this.#plan({ number: this.#sends, client, queue, text }),
      arrive: (): void => {
        this.#queue(queue).push(text);
      },
      fail: ({ kind }: Failure) => queueFailure(kind === "throttled" ? "throttled" : "storage_unavailable", kind),
      listens,
    });
  }

  #queue(name: string): string[] {
    const messages = this.#messages.get(name) ?? [];
    this.#messages.set(name, messages);
    return messages;
  }
}
