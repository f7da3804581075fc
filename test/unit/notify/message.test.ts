// Messages of status notifications: the documented form, how they are split, and what is taken for one.

import fc from "fast-check";
import { expect, test } from "vitest";

import { limits } from "../../../src/core/limits.ts";
import { deliveryText, messageId, messagesOf, parseMessage, retryTexts } from "../../../src/notify/message.ts";
import { id, notification, status, store } from "./given.ts";

test("a message has the documented form", () => {
  const texts = messagesOf(notification("orders", "order-1"));
  expect(texts).toEqual([
    '{"version":1,"store":"00112233-4455-6677-8899-aabbccddeeff","space":"orders","statuses":[' +
      '{"space":"orders","segment":"order-1","firstSequence":1,"firstTimestamp":1900000000000,"lastSequence":1,"lastTimestamp":1900000000001}]}',
  ]);
});

test("many statuses go into as few messages as they fit into, in their order, each with room for a retry", () => {
  const names = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }), { maxLength: 700 });
  const valid = names.map((list) =>
    list.filter(
      (name) => /^[^\u0000-\u001f\u007f-\u009f%]+$/.test(name) && name.isWellFormed() && name !== "." && name !== "..",
    ),
  );
  fc.assert(
    fc.property(valid, (segments) => {
      const given = notification("orders", ...segments);
      const messages = messagesOf(given).map((text) => {
        const { subscriptions, since, unreadable, ...message } = parseMessage(text);
        expect([subscriptions, since, unreadable]).toEqual([undefined, undefined, []]);
        const ids = Array.from({ length: 9 }, (_, index) => id(`${index}`.repeat(128)));
        const retries = retryTexts(message, ids, limits.sequenceMax);
        for (const retry of retries) {
          expect(Buffer.byteLength(retry)).toBeLessThanOrEqual(limits.messageBytesMax);
          expect(parseMessage(retry)).toMatchObject({ ...message, since: limits.sequenceMax });
        }
        expect(retries.flatMap((retry) => parseMessage(retry).subscriptions)).toEqual(ids);
        return { message, bytes: Buffer.byteLength(text) };
      });
      expect(messages.flatMap(({ message }) => message.statuses)).toEqual(given.statuses);
      // No two neighbours would fit into one.
      for (const [index, { bytes }] of messages.entries()) {
        const next = messages[index + 1];
        if (next !== undefined) expect(bytes + next.bytes).toBeGreaterThan(limits.messageBytesMax - 1_024);
      }
    }),
    { numRuns: 30 },
  );
  expect(messagesOf(notification("orders"))).toEqual([]);
});

test("the longest names fit", () => {
  const given = notification("s".repeat(96), ...Array.from({ length: 500 }, (_, index) => `${index}`.padEnd(144, '"')));
  for (const text of messagesOf(given)) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limits.messageBytesMax);
});

test("a message is read from its text, or from what the host has made of it; unknown members are no harm", () => {
  const [text = ""] = messagesOf(notification("orders", "a", "b"));
  const expected = { ...notification("orders", "a", "b"), subscriptions: undefined, since: undefined, unreadable: [] };
  expect(parseMessage(text)).toEqual(expected);
  expect(parseMessage(JSON.parse(text))).toEqual(expected);
  expect(parseMessage({ ...(JSON.parse(text) as object), later: 1 })).toEqual(expected);
});

test("a retry is for some subscriptions or for all, in one message when it fits; messages of former versions are read", () => {
  const given = notification("orders", "a");
  const [forSome = "", ...more] = retryTexts(given, [id("one"), id("two")], 7);
  expect(more).toEqual([]);
  expect(parseMessage(forSome)).toEqual({ ...given, subscriptions: ["one", "two"], since: 7, unreadable: [] });
  expect(retryTexts(given, [], 7)).toEqual([]);
  expect(retryTexts(given, undefined, 7).map(parseMessage)).toEqual([
    { ...given, subscriptions: undefined, since: 7, unreadable: [] },
  ]);
  const former = { version: 1, ...given, subscription: "one" };
  expect(parseMessage(former)).toEqual({ ...given, subscriptions: ["one"], since: undefined, unreadable: [] });
});

test("a status that is none is left out and said, and the others are read", () => {
  const given = notification("orders", "a", "b");
  const bad = [null, { ...status("orders", "c"), lastSequence: -1 }, { ...status("orders", "d"), segment: "50%" }];
  const [first, second] = given.statuses;
  const { statuses, unreadable } = parseMessage({
    version: 1,
    ...given,
    statuses: [bad[0], first, bad[1], second, bad[2]],
  });
  expect(statuses).toEqual(given.statuses);
  expect(unreadable).toHaveLength(3);
  expect(unreadable[1]).toContain("message.statuses.2.lastSequence: expected an integer from 0");
});

test.each([
  ["no JSON", "not json"],
  ["another version", { version: 2, store, space: "s", statuses: [] }],
  ["no version", { store, space: "s", statuses: [] }],
  ["no store", { version: 1, space: "s", statuses: [] }],
  ["a store that is none", { version: 1, store: "x", space: "s", statuses: [] }],
  ["a name that is none", { version: 1, store, space: "a%b", statuses: [] }],
  ["statuses that are none", { version: 1, store, space: "s", statuses: [{ segment: "g" }] }],
  ["a negative sequence", { version: 1, store, space: "s", statuses: [{ ...status("s", "g"), lastSequence: -1 }] }],
  ["a subscription that is none", { version: 1, store, space: "s", statuses: [], subscription: "a b" }],
  ["a time that is none", { version: 1, store, space: "s", statuses: [], subscriptions: ["a"], since: "now" }],
  ["nothing", undefined],
])("%s is no message", (_, message) => {
  expect(() => parseMessage(message)).toThrow(expect.objectContaining({ code: "invalid_argument" }) as Error);
});

test("the id of a delivery is the same for the same content, and for nothing else", () => {
  const text = deliveryText(notification("orders", "a"));
  const ids = [
    messageId(id("one"), text),
    messageId(id("two"), text),
    messageId(id("one"), deliveryText(notification("orders", "b"))),
  ];
  expect(new Set(ids).size).toBe(3);
  expect(messageId(id("one"), text)).toBe(ids[0]);
  expect(ids[0]).toMatch(/^msg_[0-9a-f]{32}$/);
});
