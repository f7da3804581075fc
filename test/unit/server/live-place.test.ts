// Live readers are counted by what they cost, which is a request a second for each space that somebody waits for.

import { randomUUID } from "node:crypto";

import { afterEach, expect, test } from "vitest";

import { parseSpaceName, parseStoreId } from "../../../src/core/ids.ts";
import { LivePlaces } from "../../../src/server/live-place.ts";
import { Budget } from "../../../src/server/overload.ts";
import { json, openService } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const store = parseStoreId(randomUUID());
const spaces = (count: number, from = 0) => Array.from({ length: count }, (_, at) => parseSpaceName(`s${from + at}`));
const holder = (caller: string) => ({ caller, store: undefined });

function places(streamsMax = 100, spacesMax = 1_000) {
  const shares = { callerPercent: 50, storePercent: 100 };
  const [streams, watched] = [new Budget("streams", streamsMax), new Budget("watched spaces", spacesMax, shares)];
  return { streams, watched, places: new LivePlaces(streams, watched) };
}

test("fifty streams of a hundred spaces each do not fit: five hundred spaces are a caller's share", () => {
  const { streams, watched, places: live } = places();
  const opened = [];
  for (let stream = 0; stream < 50; stream += 1) {
    const take = () => live.take(holder("greedy"), store, spaces(100, stream * 100));
    if (stream < 5) opened.push(take());
    else expect(take).toThrow(/This caller uses its whole share of this instance's watched spaces, 50 percent/);
  }
  expect([watched.used, streams.used]).toEqual([500, 5]);
  opened.push(live.take(holder("modest"), store, spaces(100)));
  for (const place of opened) {
    place.close();
    place.close();
  }
  expect([watched.used, watched.holders, streams.used, live.spaces]).toEqual([0, 0, 0, 0]);
});

test("streams of the same spaces cost their caller nothing more", () => {
  const { watched, places: live } = places();
  const opened = Array.from({ length: 50 }, () => live.take(holder("one"), store, spaces(100)));
  expect(watched.used).toBe(100);
  opened.pop()?.close();
  expect(watched.used).toBe(100);
  for (const place of opened) place.close();
  expect(watched.used).toBe(0);
});

test("a stream that finds no room takes nothing", () => {
  const { streams, watched, places: live } = places(1);
  const place = live.take(holder("a"), store, spaces(1));
  expect(() => live.take(holder("b"), store, spaces(1))).toThrow(/at its limit for streams/);
  place.close();
  expect([watched.used, streams.used]).toEqual([0, 0]);
});

let service: Service | undefined;
afterEach(() => service?.dispose());

test("a caller that would cost more than its share gets the status before its stream begins", async () => {
  const { streams, places: livePlaces } = places(100, 20);
  service = await openService({ streams, livePlaces });
  const offsets = Object.fromEntries(spaces(11).map((space) => [space, ""]));
  const path = `/v1/stores/${store}/consume`;
  const answer = await service.call("POST", path, json({ offsets }, { accept: "text/event-stream" }));
  expect(answer).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
  expect(answer.json).toMatchObject({ code: "throttled", retryable: true });
  const polled = await service.call("POST", `${path}?wait=1`, json({ offsets }));
  expect(polled.json).toMatchObject({ status: 429, code: "throttled" });
  expect((await service.call("POST", path, json({ offsets }))).status).toBe(200);
});
