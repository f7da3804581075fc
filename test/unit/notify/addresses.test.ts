// Which addresses a webhook may be sent to, in whatever notation.

import { describe, expect, test } from "vitest";
import { checkNetwork, createAddressPolicy } from "../../../src/notify/addresses.ts";

const internet = createAddressPolicy({ loopback: false, networks: [] });
const emulator = createAddressPolicy({ loopback: true, networks: [] });
const within = createAddressPolicy({ loopback: false, networks: ["10.1.0.0/16", "fd00:1::/32"] });

const outside = [
  "1.1.1.1",
  "20.50.2.4",
  "172.15.255.255",
  "172.32.0.1",
  "192.169.0.1",
  "2606:4700::1111",
  "2a01:111::1",
];
const inside: readonly (readonly [string, readonly string[]])[] = [
  ["this machine", ["127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:7f00:1"]],
  ["private networks", ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"]],
  ["networks of carriers", ["100.64.0.1", "100.127.255.255"]],
  ["link-local addresses", ["169.254.0.1", "fe80::1", "febf::1", "fec0::1"]],
  ["the metadata services of clouds", ["169.254.169.254", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254"]],
  ["ways around", ["64:ff9b::a00:1", "2002:a00:1::", "2001::1", "2001:db8::1", "::ffff:10.0.0.1", "::10.0.0.1"]],
  ["many at once, and what is kept for later", ["224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "ff02::1"]],
  ["what is for examples and measurements", ["192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "3fff::1"]],
];

test("addresses on the internet may be reached, by https alone", () => {
  for (const address of outside) {
    expect(internet.allows(address, "https:"), address).toBe(true);
    expect(internet.allows(address, "http:"), address).toBe(false);
    expect(emulator.allows(address, "http:"), address).toBe(false);
  }
  expect([internet.takes("https:"), internet.takes("http:")]).toEqual([true, false]);
});

test.each(inside)("%s may not", (_, addresses) => {
  for (const address of addresses) {
    expect(internet.allows(address, "https:"), address).toBe(false);
    expect(internet.allows(address, "http:"), address).toBe(false);
  }
});

test("with the emulator this machine may be reached, by http too, and nothing else that is inside", () => {
  for (const address of ["127.0.0.1", "127.1.2.3", "::1"]) {
    expect([emulator.allows(address, "http:"), emulator.allows(address, "https:")], address).toEqual([true, true]);
  }
  for (const address of ["10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "fd00::1"]) {
    expect([emulator.allows(address, "http:"), emulator.allows(address, "https:")], address).toEqual([false, false]);
  }
});

test("networks that a deployment allows may be reached, by https, and their neighbours not", () => {
  for (const address of ["10.1.0.1", "10.1.255.255", "fd00:1::1", "1.1.1.1", "2606:4700::1111"]) {
    expect(within.allows(address, "https:"), address).toBe(true);
    expect(within.allows(address, "http:"), address).toBe(false);
  }
  for (const address of ["10.2.0.1", "10.0.255.255", "fd00:2::1", "127.0.0.1", "::ffff:10.1.2.3"]) {
    expect(within.allows(address, "https:"), address).toBe(false);
  }
});

test("a network of one version allows nothing of the other", () => {
  const all6 = createAddressPolicy({ loopback: false, networks: ["::/0"] });
  expect([all6.allows("fd00::1", "https:"), all6.allows("10.0.0.1", "https:")]).toEqual([true, false]);
});

test("a text that is no address may not be reached", () => {
  for (const address of ["", "example.com", "10.1", "1.1.1.1/32", "0x7f.1", "fe80::1%eth0x "]) {
    expect(within.allows(address, "https:"), address).toBe(false);
  }
});

describe("a network", () => {
  test.each(["10.0.0.0/8", "1.2.3.4/32", "0.0.0.0/0", "fd00::/8", "::/0", "::1/128"])("may be %s", (network) => {
    expect(() => checkNetwork(network)).not.toThrow();
  });
  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10/8", "fd00::/129", "fd00::/-1", "host/8", "1.1.1.1/8/8", ""])(
    "is not %s",
    (network) => {
      expect(() => checkNetwork(network)).toThrow(expect.objectContaining({ code: "invalid_argument" }) as Error);
    },
  );
});
