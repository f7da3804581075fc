// Sends one message to a webhook: a POST, signed by the Standard Webhooks scheme (https://www.standardwebhooks.com).
//
// Promise: it ends within its time-out. It is sent to an address that the policy allows, which is the one that was
// connected to: what a name resolves to is looked at for every connection, by the connection itself. Redirects are not
// followed.

import { lookup as systemLookup } from "node:dns";
import type { LookupAddress, LookupOptions } from "node:dns";
import * as http from "node:http";
import * as https from "node:https";
import { isIP } from "node:net";
import type { LookupFunction } from "node:net";

import { Webhook } from "standardwebhooks";

import type { Clock, ServiceClock } from "../core/clock.ts";
import { withDeadline } from "../table/deadline.ts";
import type { AddressPolicy, Scheme } from "./addresses.ts";
import type { WebhookSecret } from "./subscription.ts";
import { literalOf } from "./targets.ts";

export interface WebhookMessage {
  /** The same for every try of the same message: what a receiver knows a repeat by. */
  readonly id: string;
  readonly body: string;
  readonly secret: WebhookSecret;
}

export type Delivery =
  | { readonly kind: "delivered" }
  /** It answered 410: it wants nothing any more. */
  | { readonly kind: "gone"; readonly reason: string }
  /**
   * `reason`: a sentence for whoever made the subscription: without secrets and without the URL, and without what only
   * this network knows, such as what a name resolves to, or whether a port is closed or silent. `cause` has that, for
   * the log alone.
   */
  | { readonly kind: "failed"; readonly reason: string; readonly cause?: string; readonly retryAfterMs?: number };

export interface WebhookSenderOptions {
  readonly clock: Clock;
  /** The storage's time: receivers refuse what is signed by a clock that is off. */
  readonly serviceClock: Pick<ServiceClock, "now">;
  readonly addresses: AddressPolicy;
  /** From the look-up of the name to the head of the answer. */
  readonly timeoutMs: number;
  /** Default: the system's. */
  readonly lookup?: Lookup;
}

export type Lookup = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface WebhookSender {
  /** `url`: as the policy of targets has parsed it. */
  send(url: URL, message: WebhookMessage): Promise<Delivery>;
}

export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { clock, serviceClock, addresses, timeoutMs, lookup = systemLookup } = options;
  return {
    send: async (url, message) => {
      const scheme = url.protocol as Scheme;
      const host = literalOf(url);
      // An address that is written as one is never looked up.
      if (isIP(host) !== 0 && !addresses.allows(host, scheme)) return unanswered(forbidden(host));
      const outcome = await withDeadline(clock, timeoutMs, undefined, (signal) =>
        post(url, {
          signal,
          lookup: guardedLookup(lookup, (address) => addresses.allows(address, scheme)),
          headers: headersOf(message, serviceClock.now()),
          body: message.body,
          now: serviceClock.now(),
        }),
      );
      switch (outcome.kind) {
        case "done":
          return outcome.value;
        case "threw":
          return unanswered(explain(outcome.error));
        case "timeout":
        case "aborted":
          return unanswered(`no answer within ${timeoutMs} ms`);
      }
    },
  };
}

/** Signed with each secret that counts now: a receiver needs to know one of them. */
export function headersOf({ id, body, secret }: WebhookMessage, now: number): Readonly<Record<string, string>> {
  const at = new Date(now);
  const { current, former } = secret;
  const secrets = former === undefined || former.until <= now ? [current] : [current, former.secret];
  return {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "user-agent": "streamkit",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now / 1_000)),
    "webhook-signature": secrets.map((one) => new Webhook(one).sign(id, at, body)).join(" "),
  };
}

interface Post {
  readonly signal: AbortSignal;
  readonly lookup: LookupFunction;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly now: number;
}

function post(url: URL, { signal, lookup, headers, body, now }: Post): Promise<Delivery> {
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === "https:" ? https : http;
    // A connection of its own: none is kept from when the policy or the name's address was another.
    const sent = request(url, { method: "POST", headers, lookup, signal, agent: false }, (response) => {
      resolve(deliveryOf(response, now));
      // The rest of the answer is of no interest, however long it is.
      response.destroy();
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function deliveryOf({ statusCode = 0, headers }: http.IncomingMessage, now: number): Delivery {
  if (statusCode >= 200 && statusCode < 300) return { kind: "delivered" };
  const reason = `It answered ${statusCode}.`;
  if (statusCode === 410) return { kind: "gone", reason };
  const retryAfterMs = retryAfterMsOf(headers["retry-after"], now);
  return { kind: "failed", reason, ...(retryAfterMs > 0 ? { retryAfterMs } : {}) };
}

/** Seconds, or a date (RFC 9110); 0 for anything else. */
function retryAfterMsOf(text: string | undefined, now: number): number {
  if (text === undefined) return 0;
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

/** Gives the connection only addresses that are allowed. */
function guardedLookup(lookup: Lookup, allows: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = error === null ? addresses.filter(({ address }) => allows(address)) : [];
      const [first] = allowed;
      if (error !== null) callback(error, []);
      else if (first === undefined) callback(new ForbiddenAddress(addresses[0]?.address ?? "none"), []);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress";

  constructor(address: string) {
    super(forbidden(address));
  }
}

function forbidden(address: string): string {
  return `the address ${address} is not one that this deployment may reach`;
}

/** One sentence for all: whoever made the subscription must not learn from it what is in this network. */
function unanswered(cause: string): Delivery {
  return { kind: "failed", reason: "It could not be reached, or did not answer in time.", cause };
}

function explain(error: unknown): string {
  if (error instanceof ForbiddenAddress) return error.message;
  // Several addresses were tried in vain.
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { code } = cause as { readonly code?: unknown };
  return typeof code === "string" ? code : "the connection failed";
}
