// Decides where a subscription may deliver: checked when it is made, and again at every delivery.

import { isIP } from "node:net";

import { invalidArgument } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { AddressPolicy, Scheme } from "./addresses.ts";
import { checkQueueName } from "./queue.ts";
import type { Target } from "./subscription.ts";

export interface TargetPolicy {
  readonly addresses: AddressPolicy;
  /** Every queue that is delivered to has a name that begins so. */
  readonly queuePrefix: string;
  /** Queues that are never delivered to, whatever their names: the project's own. */
  readonly reservedQueues: readonly string[];
}

/** Queues that belong to the Functions host, and those it puts what failed into. */
const hostQueues = /^azure-webjobs-|-poison$/;

/**
 * Throws `invalid_argument` for a target that is not allowed. The addresses of a host name are checked when a
 * connection is made.
 */
export function checkTarget(policy: TargetPolicy, target: Target): void {
  if ("queue" in target) checkQueue(policy, target.queue);
  else parseWebhook(policy, target.webhook);
}

export function parseWebhook(policy: TargetPolicy, text: string): URL {
  const field = "target.webhook";
  if (text.length > limits.webhookUrlCharactersMax) {
    throw invalidArgument(field, `at most ${limits.webhookUrlCharactersMax} characters`, text.length);
  }
  if (!URL.canParse(text)) throw invalidArgument(field, "an absolute URL", text);
  const url = new URL(text);
  const { protocol, username, password, hash } = url;
  if (!isScheme(protocol) || !policy.addresses.takes(protocol)) throw invalidArgument(field, "an https URL", text);
  if (username !== "" || password !== "" || hash !== "") {
    throw invalidArgument(field, "a URL without user, password and fragment");
  }
  const host = literalOf(url);
  if (isIP(host) !== 0 && !policy.addresses.allows(host, protocol)) {
    throw invalidArgument(field, "an address that this deployment may reach", host);
  }
  if (protocol === "http:" && isIP(host) === 0 && host !== "localhost") {
    throw invalidArgument(field, "an https URL; plain http is for this machine alone", text);
  }
  return url;
}

/** The host without the brackets of IPv6. */
export function literalOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

function isScheme(protocol: string): protocol is Scheme {
  return protocol === "https:" || protocol === "http:";
}

function checkQueue({ queuePrefix, reservedQueues }: TargetPolicy, name: string): void {
  checkQueueName(name, "target.queue");
  if (!name.startsWith(queuePrefix)) {
    throw invalidArgument("target.queue", `a name that begins with ${queuePrefix}`, name);
  }
  if (reservedQueues.includes(name) || hostQueues.test(name)) {
    throw invalidArgument("target.queue", "a queue that neither this app nor its host uses", name);
  }
}
