// Links for reading: what they open, and what they do not.

import { createHmac, randomUUID } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "vitest";

import { StreamkitClient } from "../../../packages/client/src/index.ts";
import type { ReadLinkOptions } from "../../../packages/client/src/index.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { readByLink } from "../../../src/server/read-links.ts";
import { parseReadLinkKeys } from "../../../src/wire/read-link.ts";
import { json, openService } from "./in-process.ts";
import type { Service } from "./in-process.ts";
import { identityOf } from "../../../src/server/access.ts";
import { durableStream } from "../../../src/server/durable-streams.ts";

const [first, second] = ["s".repeat(32), "t".repeat(32)];
const key = { name: "first", secret: first };
const store = randomUUID();
const space = "a/b";
const client = new StreamkitClient("http://127.0.0.1").getStoreClient(store).getSpaceClient(space);

let service: Service;
beforeAll(async () => {
  service = await openService({ readLinkKeys: parseReadLinkKeys(`first:${first},second:${second}`)! });
  for (const segment of ["order/1", "order-2"]) {
    const path = `/v1/stores/${store}/spaces/a%2Fb/segments/${encodeURIComponent(segment)}/records?encoding=json`;
    await service.call("POST", path, json({ records: [{ payload: segment }] }));
  }
  // Nobody gets in but by a link.
  Object.assign(service.services, { access: { authenticate: () => Promise.resolve(identityOf("nobody", [])) } });
});
afterAll(() => service.dispose());

const linkTo = (options: Partial<ReadLinkOptions> = {}, segment = "order/1"): Promise<string> =>
  client.getSegmentClient(segment).createReadLink({ key, ...options });

interface Read {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

async function read(url: string, method = "GET", headers: Record<string, string> = {}): Promise<Read> {
  const request = { method, url, headers: new Headers(headers), body: null };
  const { body, ...answer } = await readByLink(service.services, request, unseenConnection());
  let text = "";
  if (typeof body === "string") text = body;
  else if (body !== undefined) for await (const piece of body) text += Buffer.from(piece).toString();
  return { ...answer, text };
}

/** A link of this content, signed as it should be. */
function signed(content: unknown, { name, secret } = key): string {
  const text = `${name}.${Buffer.from(JSON.stringify(content)).toString("base64url")}`;
  return `http://127.0.0.1/v1/links/${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

test("a link reads its segment, with the parameters of any read", async () => {
  const link = await linkTo();
  const page = JSON.parse((await read(`${link}?encoding=json`)).text) as { entries: { payload: string }[] };
  expect(page.entries.map(({ payload }) => payload)).toEqual(["order/1"]);
  const lines = await read(`${link}?encoding=json&fields=payload`, "GET", { accept: "application/x-ndjson" });
  expect(lines.text).toMatch(/^{"payload":"order\/1"}\n/);
  expect((await read(link, "HEAD")).status).toBe(200);
});

test("every key of the setting opens its links, and one that was taken out none", async () => {
  expect((await read(await linkTo({ key: { name: "second", secret: second } }))).status).toBe(200);
  const gone = await read(await linkTo({ key: { name: "third", secret: first } }));
  expect([gone.status, gone.text]).toEqual([403, expect.stringContaining("its key is not in use any more")]);
});

const content = { store, space, segment: "order/1", form: "entries", expiresAt: Date.now() + 60_000 };

test.each([
  ["no link", "http://127.0.0.1/v1/links/abc", "It is none"],
  ["one that is not percent-encoded right", "http://127.0.0.1/v1/links/%ff", "It is none"],
  ["one signed by another secret", signed(content, { name: "first", secret: second }), "not signed by its key"],
  ["one that has expired", signed({ ...content, expiresAt: Date.now() - 1 }), "has expired"],
  ["one for longer than a day", signed({ ...content, expiresAt: Date.now() + 90_000_000 }), "longer than a day"],
  ["one of no store", signed({ ...content, store: "x" }), "It is none"],
])("403, and nothing of it, for %s", async (_, url, why) => {
  const { status, text } = await read(url);
  expect(status).toBe(403);
  expect(JSON.parse(text)).toMatchObject({ code: "permission_denied", detail: expect.stringContaining(why) as string });
});

test("a link that was changed is not signed by its key any more", async () => {
  const [name, , signature] = new URL(await linkTo()).pathname.slice("/v1/links/".length).split(".");
  const other = Buffer.from(JSON.stringify({ ...content, segment: "order-2" })).toString("base64url");
  const { status, text } = await read(`http://127.0.0.1/v1/links/${name}.${other}.${signature}`);
  expect([status, text]).toEqual([403, expect.stringContaining("not signed by its key")]);
});

test("a link changes nothing", async () => {
  for (const method of ["POST", "PUT", "DELETE", "PATCH"])
    expect((await read(await linkTo(), method)).status).toBe(405);
});

test("a link of a stream reads it by its protocol, and of a life only that one", async () => {
  const everybody = {
    authenticate: () => Promise.resolve(identityOf("all", ["streamkit::*", "streamkit::*::manage"])),
  };
  const own = async (method: string): Promise<Readonly<Record<string, string>>> => {
    const url = `http://127.0.0.1/v1/stores/${store}/spaces/a%2Fb/streams/tokens/1`;
    const request = { method, url, headers: new Headers({ "content-type": "text/plain" }), body: null };
    const { services } = service;
    return (await durableStream({ ...services, access: everybody }, request, unseenConnection())).headers;
  };
  const life = Number((await own("PUT"))["Stream-Next-Offset"]?.split("_")[0]);
  const ofLife = await linkTo({ form: "stream", life }, "tokens/1");
  const ofAny = await linkTo({ form: "stream" }, "tokens/1");
  for (const link of [ofLife, ofAny]) expect((await read(`${link}?offset=-1`)).status).toBe(200);
  await own("DELETE");
  await own("PUT");
  expect((await read(`${ofLife}?offset=-1`)).status).toBe(410);
  expect((await read(ofLife)).status).toBe(410);
  expect((await read(`${ofAny}?offset=-1`)).status).toBe(200);
});

test("no line of the log has a link", async () => {
  const link = await linkTo();
  await read(link);
  await read(`${link}x`);
  const secretPart = link.split(".").at(-1)!;
  expect(service.logged.filter((line) => line.includes(secretPart))).toEqual([]);
});

test("how long it is good is bounded where it is made", async () => {
  await expect(linkTo({ expiresInSeconds: 86_401 })).rejects.toThrow("at most 86400");
  await expect(linkTo({ expiresInSeconds: 0 })).rejects.toThrow(TypeError);
});
