import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeMessage, messageMetadata } from "../../../scripts/local/queues.ts";

test("any text that was encoded comes back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(decodeMessage(Buffer.from(text).toString("base64"), "base64")).toBe(text);
      expect(decodeMessage(text, "none")).toBe(text);
    }),
  );
});

test.for(["{}", "abc", "YQ", "YQ=", "Y===", "=YQ="])("%s is not base64", (text) => {
  expect(decodeMessage(text, "base64")).toBeUndefined();
});

test.for([
  ["bytes beyond ASCII", [0xff, 0xfe]],
  ["half a character", [0x61, 0xe2, 0x82]],
  ["a surrogate", [0xed, 0xa0, 0x80]],
] as const)("%s are no text", ([, bytes]) => {
  expect(decodeMessage(Buffer.from(bytes).toString("base64"), "base64")).toBeUndefined();
});

test("the metadata of a message that is an object has its members, each in its kind, and they win", () => {
  const message = {
    ...{ messageId: "of the queue", popReceipt: "p", messageText: "", dequeueCount: 2 },
    ...{ insertedOn: new Date(0), expiresOn: new Date(1), nextVisibleOn: new Date(2) },
  };
  const text = '{"id":"its own","count":3,"share":0.5,"yes":true,"inner":{"a":[1]},"nothing":null}';
  const { id, count, share, yes, inner, nothing, DequeueCount, ...others } = messageMetadata(message, text);
  expect([id, count, share, yes, inner, nothing, DequeueCount]).toEqual([
    { string: "its own" },
    { int: 3 },
    { double: 0.5 },
    { json: "true" },
    { json: '{"a":[1]}' },
    {},
    { int: 2 },
  ]);
  expect(Object.keys(others)).toEqual([
    ...["QueueTrigger", "PopReceipt", "InsertionTime", "ExpirationTime", "NextVisibleTime"],
  ]);
  for (const plain of ["[1]", "null", "text", '"x"'])
    expect(messageMetadata(message, plain)["Id"]).toEqual({ json: '"of the queue"' });
});
