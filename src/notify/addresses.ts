// Which addresses a webhook may be sent to: those of the internet, and what a deployment allows besides.
//
// Promise: whatever a name resolves to, whatever way an address is written: private networks, this machine, link-local
// addresses and the metadata services of clouds are reached only by those who were allowed to.

import { BlockList, isIP } from "node:net";

import { invalidArgument } from "../core/errors.ts";

export type Scheme = "https:" | "http:";

export interface AddressPolicy {
  /** `address`: an IPv4 or IPv6 address in any notation. Plain HTTP is for this machine alone. */
  allows(address: string, scheme: Scheme): boolean;
  /** Whether anything may be reached by it. */
  takes(scheme: Scheme): boolean;
}

export interface AddressOptions {
  /** This machine, by http and https: for the storage emulator. */
  readonly loopback: boolean;
  /** Networks that https may reach besides, each as `10.1.0.0/16`. */
  readonly networks: readonly string[];
}

/** IANA's registries of special-purpose addresses, multicast, and Azure's platform address. */
const special4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];
/**
 * In IPv6 only 2000::/3 is the internet. These networks within it lead elsewhere: protocol assignments, documentation,
 * 6to4.
 */
const special6: readonly (readonly [string, number])[] = [
  ["::", 3],
  ["4000::", 2],
  ["8000::", 1],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

export function createAddressPolicy(options: AddressOptions): AddressPolicy {
  const special = new Networks();
  for (const [network, bits] of [...special4, ...special6]) special.add(network, bits);
  const allowed = new Networks();
  for (const network of options.networks) allowed.add(...parseNetwork(network));
  const loopback = new Networks();
  if (options.loopback) {
    loopback.add("127.0.0.0", 8);
    loopback.add("::1", 128);
  }
  return {
    allows: (address, scheme) => {
      if (isIP(address) === 0) return false;
      if (loopback.has(address)) return true;
      return scheme === "https:" && (allowed.has(address) || !special.has(address));
    },
    takes: (scheme) => scheme === "https:" || options.loopback,
  };
}

/** Networks with commas between them. */
export function networksIn(text: string): readonly string[] {
  return text.match(/[^,\s]+/g) ?? [];
}

export function areNetworks(text: string): boolean {
  try {
    networksIn(text).forEach(checkNetwork);
    return true;
  } catch {
    return false;
  }
}

/** `invalid_argument` unless it is a network in CIDR notation. */
export function checkNetwork(network: string): void {
  parseNetwork(network);
}

function parseNetwork(network: string): [address: string, bits: number] {
  const [address = "", bits = "", ...rest] = network.split("/");
  const version = isIP(address);
  const isPrefix = /^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  if (version === 0 || !isPrefix || rest.length > 0) {
    throw invalidArgument("network", "a network such as 10.1.0.0/16 or fd00::/8", network);
  }
  return [address, Number(bits)];
}

/**
 * Networks of both versions, each in a list of its own: in one list, IPv4 addresses would be in those of IPv6 that hold
 * `::ffff:0:0/96`.
 */
class Networks {
  readonly #ipv4 = new BlockList();
  readonly #ipv6 = new BlockList();

  add(network: string, bits: number): void {
    if (isIP(network) === 4) this.#ipv4.addSubnet(network, bits, "ipv4");
    else this.#ipv6.addSubnet(network, bits, "ipv6");
  }

  has(address: string): boolean {
    return isIP(address) === 4 ? this.#ipv4.check(address, "ipv4") : this.#ipv6.check(address, "ipv6");
  }
}
