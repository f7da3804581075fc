import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Keyspace } from "../../../doubles/level/keyspace.ts";
import { openKeyspace } from "../../../doubles/level/keyspace.ts";
import { all } from "../../../contract/given.ts";

let folder: string;
let keyspace: Keyspace;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamkit-keyspace-"));
  keyspace = await openKeyspace(folder);
});

afterAll(async () => {
  await keyspace.close();
  await rm(folder, { recursive: true });
});

const key = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const row = (value: Uint8Array, ...bytes: number[]) => ({ key: key(...bytes), value });

test("rows come back by key, in the order of their bytes, from the first bound up to the other", async () => {
  await keyspace.write([
    row(key(3), 1, 0xff),
    row(key(1), 1, 0),
    row(key(2), 1, 0x7f, 0),
    row(key(9), 2),
    row(key(0), 0, 9),
  ]);
  expect([...(await keyspace.get(key(1, 0)))!]).toEqual([1]);
  expect(await keyspace.get(key(1))).toBeUndefined();
  const range = { from: key(1), to: key(2) };
  const found = (await all(keyspace.pages(range))).flat();
  expect(found.map(({ value }) => [...value])).toEqual([[1], [2], [3]]);
  expect([...(await keyspace.last(range))!.value]).toEqual([3]);
  expect(await keyspace.last({ from: key(3), to: key(4) })).toBeUndefined();
  expect(await all(keyspace.pages({ from: key(3), to: key(4) }))).toEqual([]);
});

test("pages are bounded in rows and in bytes, and are one snapshot", async () => {
  const small = Array.from({ length: 1_000 }, (_, index) => row(key(1), 5, index >> 8, index & 0xff));
  const large = Array.from({ length: 10 }, (_, index) => row(new Uint8Array(700_000), 6, index));
  await keyspace.write([...small, ...large]);
  const rowsOf = async (first: number): Promise<number[]> =>
    (await all(keyspace.pages({ from: key(first), to: key(first + 1) }))).map((page) => page.length);
  expect(Math.max(...(await rowsOf(5)))).toBeLessThanOrEqual(256);
  expect(Math.max(...(await rowsOf(6)))).toBeLessThanOrEqual(3);
  const seen: number[] = [];
  for await (const page of keyspace.pages({ from: key(5), to: key(6) })) {
    if (seen.length === 0) await keyspace.write([row(key(2), 5, 0xff)]);
    seen.push(...page.map(({ value }) => value[0]!));
  }
  expect(seen).toEqual(small.map(() => 1));
});
