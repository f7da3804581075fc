// Workers that send the mails of a queue: as many as are started share it, and what one of them left undone another
// does.
//
// An entry may come again, when its worker dies before it has said that it is done: what is written for it is written
// once, by its key.

import { StreamkitClient } from "streamkit-client";
import type { ConsumerClient, ConsumerRules, StoreClient } from "streamkit-client";

export interface Mail {
  readonly to: string;
  readonly text: string;
}

export class MailWorkers {
  readonly #store: StoreClient;
  readonly #consumer: ConsumerClient<Mail>;
  readonly #send: (mail: Mail) => Promise<void>;

  /** `send` rejects when a mail cannot be sent: it is tried again, and set aside after the third time. */
  constructor(url: string, storeId: string, send: (mail: Mail) => Promise<void>) {
    this.#store = new StreamkitClient(url).getStoreClient(storeId);
    this.#consumer = this.#store.getConsumerClient<Mail>("mailer");
    this.#send = send;
  }

  /** Before the first worker starts; safe to repeat. */
  async create(rules: Partial<ConsumerRules> = {}): Promise<void> {
    await this.#consumer.put({ spaces: ["mails"], from: "start", maxDeliveries: 3, onPoison: "park", ...rules });
  }

  /** One worker, until the signal aborts: in each process one, or several. */
  async run(abortSignal: AbortSignal): Promise<void> {
    const sent = this.#store.getSpaceClient("sent");
    await this.#consumer.run(
      async ({ key, payload, segment }) => {
        await this.#send(payload);
        await sent.getSegmentClient(segment).append({ payload }, { idempotencyKey: key });
      },
      { abortSignal, waitInSeconds: 1 },
    );
  }

  /** The mails that could not be sent, to be sent again. */
  async sendFailedAgain(): Promise<number> {
    const { changed } = await this.#consumer.replayParked({ all: true });
    return changed;
  }
}
