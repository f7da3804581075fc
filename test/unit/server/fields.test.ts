// `fields`: only what a reader needs of each entry, in every form of an answer.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { entryFields } from "../../../src/wire/entry-form.ts";
import { mediaTypes } from "../../../src/wire/operation.ts";
import { json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

let service: Service;
const store = randomUUID();
beforeAll(async () => {
  service = await openService();
  const records = [{ payload: { item: "book" }, metadata: { by: "me" } }, { payload: { item: "pen" } }];
  await service.call("POST", segmentPath(store, "s", "g", "/records?encoding=json"), json({ records }));
});
afterAll(() => service.dispose());

const wanted = [
  { sequence: 1, payload: { item: "book" }, metadata: { by: "me" } },
  { sequence: 2, payload: { item: "pen" } },
];
const fields = "fields=metadata,payload,%20sequence";
const inSegment = segmentPath(store, "s", "g", `/entries?encoding=json&${fields}`);
const inSpace = `/v1/stores/${store}/spaces/s/entries?encoding=json&${fields}`;

describe("only the members that were asked for are there", () => {
  test.each([
    ["a segment", () => service.call("GET", inSegment, {})],
    ["a space", () => service.call("GET", inSpace, {})],
    [
      "several spaces",
      () => service.call("POST", `/v1/stores/${store}/consume?encoding=json&${fields}`, json({ offsets: { s: "" } })),
    ],
  ])("as a page: %s", async (_, read) => {
    const { json: page } = await read();
    expect(page.entries).toEqual(wanted);
    expect(page.next).not.toBeUndefined();
  });

  test("as lines, and the last line as ever", async () => {
    const { lines } = await service.call("GET", inSpace, { headers: { accept: mediaTypes.ndjson } });
    expect(lines.slice(0, 2)).toEqual(wanted);
    expect(lines[2]).toHaveProperty("next");
  });

  test("as events, whose ids stay", async () => {
    const { text } = await service.call("GET", `${inSegment}&to=2`, { headers: { accept: mediaTypes.events } });
    const data = [...text.matchAll(/^id: .+\ndata: (\{"sequence.*)$/gm)].map(
      ([, entry]) => JSON.parse(entry!) as unknown,
    );
    expect(data).toEqual(wanted);
  });

  test("of the last entry, also where there is none", async () => {
    const last = await service.call("GET", segmentPath(store, "s", "g", `/last?encoding=json&${fields}`), {});
    expect(last.json).toEqual(wanted[1]);
    const none = await service.call("GET", segmentPath(store, "s", "none", "/last?fields=sequence,offset"), {});
    expect(none.json).toEqual({ sequence: 0 });
  });

  test("each alone is what it is in the whole entry, and all of them are the whole entry", async () => {
    const page = async (query: string): Promise<Record<string, unknown>> => {
      const { json } = await service.call("GET", segmentPath(store, "s", "g", `/entries?limit=1${query}`), {});
      return json.entries[0] as unknown as Record<string, unknown>;
    };
    const whole = await page("");
    expect(await page(`&fields=${entryFields.toReversed().join(",")}`)).toEqual(whole);
    for (const field of entryFields) expect(await page(`&fields=${field}`)).toEqual({ [field]: whole[field] });
  });
});

test.each(["offsets", "payload,", "sequence,sequenz", ",", "__proto__"])(
  "a field that there is not is refused: %s",
  async (one) => {
    const answer = await service.call("GET", segmentPath(store, "s", "g", `/entries?fields=${one}`), {});
    expect(answer).toMatchObject({ status: 400, json: { code: "invalid_argument" } });
    expect(answer.text).toContain("a list of sequence, timestamp, trx, payload, metadata, space, segment, offset");
  },
);

test("an event of 107 bytes takes a third on the wire of what it does whole", async () => {
  const payload = { text: "x".repeat(96) };
  expect(JSON.stringify(payload)).toHaveLength(107);
  const events = segmentPath(randomUUID(), "orders", "order-1", "");
  await service.call("POST", `${events}/records?encoding=json`, json({ records: [{ payload }] }));
  const length = async (query: string): Promise<number> => {
    const headers = { accept: mediaTypes.ndjson };
    const { text } = await service.call("GET", `${events}/entries?encoding=json${query}`, { headers });
    return text.indexOf("\n") + 1;
  };
  expect(await length("")).toBe(wholeBytes);
  expect(await length("&fields=payload")).toBe(120);
  expect(await length("&fields=sequence,payload")).toBe(133);
});

/** As docs/performance.md says. */
const wholeBytes = 403;
