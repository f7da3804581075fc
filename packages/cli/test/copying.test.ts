// Backups: complete, resumable, verified.

import { randomUUID } from "node:crypto";
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { bytes, StreamkitClient } from "streamkit-client";
import type { StoreClient } from "streamkit-client";
import { exportTo } from "../src/export.ts";
import { checkBackup, importFrom } from "../src/import.ts";
import { startServer } from "../src/local/start-local.ts";
import type { LocalServer } from "../src/local/start-local.ts";
import { command } from "./command.ts";

let server: LocalServer;
let folder: string;
beforeAll(async () => {
  server = await startServer(pathToFileURL(inject("localServer")), {});
  folder = await mkdtemp(join(tmpdir(), "streamkit-backup-"));
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

const file = (): string => join(folder, `${randomUUID()}.ndjson`);
const storeOf = (id: string = randomUUID()): StoreClient => new StreamkitClient(server.url).getStoreClient(id);
const never = new AbortController().signal;
const silent = { abortSignal: never, onEntries: () => undefined, onVerified: () => undefined };
const run = (store: StoreClient, ...args: string[]) =>
  command(args, { env: { STREAMKIT_URL: server.url, STREAMKIT_STORE: store.storeId } });

const payloads = [
  Buffer.from('{"a":1}'),
  Buffer.from('{ "a": 1.0 }'),
  Buffer.from("text\nof lines"),
  Buffer.from([0, 255, 1]),
  Buffer.alloc(0),
];

/** Segments that take turns, in spaces with names that need care. */
async function fill(store: StoreClient, rounds: number): Promise<number> {
  let count = 0;
  for (let round = 0; round < rounds; round += 1)
    for (const space of ["orders", "ä/b c"])
      for (const segment of ["a", "b?"]) {
        const records = payloads.map((payload) => ({ payload, metadata: { round: String(round), "": "x" } }));
        await store.getSpaceClient(space, { codec: bytes() }).getSegmentClient(segment).append(records);
        count += records.length;
      }
  return count;
}

test("a backup of a store is restored into another: the same entries in the same order", async () => {
  const [from, to] = [storeOf(), storeOf()];
  const count = await fill(from, 4);
  const path = file();
  const exported = await run(from, "export", "--output", path);
  expect(exported).toMatchObject({ code: 0 });
  expect(exported.stdout).toMatch(new RegExp(`^\\S+ has ${count} entries, complete\\. SHA-256 [0-9a-f]{64}\\n$`));
  const imported = await run(to, "import", path);
  expect(imported).toMatchObject({ code: 0, stderr: "" });
  const again = file();
  await run(to, "export", "--output", again);
  const [one, other] = await Promise.all([checkBackup(path), checkBackup(again)]);
  expect(other.digests.contentDigest).toBe(one.digests.contentDigest);
  expect(other.digests.entries).toBe(count);
});

test("a backup is of a segment, or of a space, where these are named", async () => {
  const store = storeOf();
  await fill(store, 2);
  const [segment, space] = [file(), file()];
  await run(store, "export", "orders", "a", "--output", segment);
  await run(store, "export", "orders", "--output", space);
  expect(await checkBackup(segment)).toMatchObject({
    scope: { space: "orders", segment: "a" },
    digests: { entries: 10 },
  });
  expect(await checkBackup(space)).toMatchObject({ scope: { space: "orders" }, digests: { entries: 20 } });
  const to = storeOf();
  expect(await run(to, "import", segment)).toMatchObject({ code: 0 });
});

test("an export that was cut anywhere goes on, and ends as one that was not", async () => {
  const store = storeOf();
  await fill(store, 2);
  const whole = file();
  await exportTo({ ...silent, store, scope: { store: store.storeId }, path: whole });
  const text = await readFile(whole);
  for (let size = 0; size <= text.length; size += 97) {
    const path = file();
    await writeFile(path, text.subarray(0, size));
    await exportTo({ ...silent, store, scope: { store: store.storeId }, path });
    expect((await readFile(path)).equals(text), `cut at ${size}`).toBe(true);
  }
});

test("an import that was interrupted goes on, and nothing is there twice", async () => {
  const [from, to] = [storeOf(), storeOf()];
  const count = await fill(from, 6);
  const path = file();
  await run(from, "export", "--output", path);
  const backup = await checkBackup(path);
  const ending = new AbortController();
  let seen = 0;
  const onEntries = (more: number): void => {
    seen += more;
    if (seen > count / 2) ending.abort(new Error("interrupted"));
  };
  const options = { ...silent, store: to, path, resume: false };
  await expect(importFrom({ ...options, onEntries, abortSignal: ending.signal }, backup)).rejects.toThrow(
    "interrupted",
  );
  const refused = await run(to, "import", path);
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.stderr).toContain(
    "has entries. Import into an empty store; or go on with an import that was interrupted",
  );
  const resumed = await importFrom({ ...options, resume: true }, backup);
  expect(resumed.entries).toBe(count);
  expect(resumed.resumed).toBeGreaterThanOrEqual(seen);
});

test("a backup that is unfinished or damaged is refused before anything is written", async () => {
  const [from, to] = [storeOf(), storeOf()];
  await fill(from, 1);
  const path = file();
  await run(from, "export", "--output", path);
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"round":"0"', '"round":"1"'));
  expect((await run(to, "import", path)).stderr).toContain("is damaged: it does not hold what its last line says");
  await writeFile(path, text);
  await truncate(path, (await stat(path)).size - 20);
  expect((await run(to, "import", path)).stderr).toContain("is unfinished");
  await writeFile(path, text);
  await appendFile(path, text.slice(text.lastIndexOf("\n", text.length - 2) + 1));
  expect((await run(to, "import", path)).stderr).toContain("goes on behind its last line");
  await writeFile(path, text.replace(/"payload[A-Za-z0-9]*":/, '"nothing":'));
  expect((await run(to, "import", path)).stderr).toMatch(/^Line \d+ of \S+ is none of a backup\.\n$/);
  await writeFile(path, "nothing of ours\n");
  expect((await run(to, "import", path)).stderr).toContain("Line 1 of");
  expect((await run(to, "spaces")).stdout).toBe("");
});

test("an import finds out that the store holds something else", async () => {
  const [from, to] = [storeOf(), storeOf()];
  await fill(from, 1);
  const path = file();
  await run(from, "export", "orders", "--output", path);
  await to.getSpaceClient("orders").getSegmentClient("of another").append({ payload: 1 });
  const { code, stderr } = await run(to, "import", path);
  expect(code).toBe(1);
  expect(stderr).toContain("The store does not hold what the backup does");
});

test("a segment whose start was trimmed is in the backup, and is refused by an import", async () => {
  const from = storeOf();
  await fill(from, 1);
  await from.getSpaceClient("orders").getSegmentClient("a").trim(3);
  const path = file();
  expect(await run(from, "export", "orders", "a", "--output", path)).toMatchObject({ code: 0 });
  expect((await run(storeOf(), "import", path)).stderr).toContain("goes on with 3 after 0, since entries were removed");
});

test("a file of another store, or of another segment, is not gone on with", async () => {
  const [one, other] = [storeOf(), storeOf()];
  await fill(one, 1);
  const path = file();
  await run(one, "export", "orders", "--output", path);
  expect(await run(other, "export", "orders", "--output", path)).toMatchObject({ code: 2 });
  expect(await run(one, "export", "--output", path)).toMatchObject({ code: 2 });
});
