import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeMessage } from "../../../scripts/local/queues.ts";

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
