// Waits for what stands in front of a server of this process. Node.js accepts one connection in a turn of its loop, so
// when hundreds come at once and each turn is long, they wait for seconds with their requests already sent.
//
// Promise: `caughtUp` resolves when the server has accepted every connection that was made before the call, and read
// what was sent on it; or when that cannot be learned. It never rejects.

import { request as openRequest } from "node:http";

import type { Clock } from "../core/clock.ts";

/** A server that does not answer by then says nothing any more. */
const answerWithinMs = 60_000;

export class Backlog {
  readonly #server: URL;
  readonly #clock: Clock;
  /** The last question, and the next one for those who came meanwhile. */
  #asked: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(server: URL, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  caughtUp(): Promise<void> {
    if (this.#asked === undefined) return this.#ask();
    this.#next ??= this.#asked.then(() => {
      this.#next = undefined;
      return this.#ask();
    });
    return this.#next;
  }

  #ask(): Promise<void> {
    const asked = this.#lastInTurn().then(() => {
      if (this.#asked === asked) this.#asked = undefined;
    });
    this.#asked = asked;
    return asked;
  }

  /**
   * Connections are accepted in the order they were made: when one that is made now is answered, all before it were.
   */
  #lastInTurn(): Promise<void> {
    return new Promise((resolve) => {
      const request = openRequest(this.#server, { agent: false }, (response) => {
        response.resume();
        end();
      });
      const end = (): void => {
        cancel();
        resolve();
      };
      const cancel = this.#clock.after(answerWithinMs, () => {
        request.destroy();
        end();
      });
      request.on("error", end).end();
    });
  }
}
