// The commands that look after stores, against the local server: what they tell, and what they ask before they delete.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from "vitest";
import { startServer } from "../src/local/start-local.ts";
import type { LocalServer } from "../src/local/start-local.ts";
import { command } from "./command.ts";
import type { CommandOptions, Ran } from "./command.ts";

let server: LocalServer;
beforeAll(async () => {
  server = await startServer(pathToFileURL(inject("localServer")), {});
});
afterAll(() => server.stop());

interface Given {
  readonly id: string;
  readonly run: (line: string, options?: CommandOptions) => Promise<Ran>;
}

/** A store whose space has three entries in one segment. */
async function given(): Promise<Given> {
  const id = randomUUID();
  const env = { STREAMKIT_URL: server.url, STREAMKIT_STORE: id, NO_COLOR: "1" };
  const run: Given["run"] = (line, options = {}) => command(line.split(" "), { ...options, env });
  await run("append orders order-1 1 2 3");
  return { id, run };
}

const linesOf = (text: string): unknown[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

test("stores are listed with their labels, which are set and taken away", async () => {
  const { id, run } = await given();
  expect((await run("stores label shop")).stdout).toMatch(/^id +\S+\nlabel +shop\nstate +active\n$/);
  expect(linesOf((await run("stores list --json")).stdout)).toContainEqual({ id, label: "shop", state: "active" });
  expect((await run("stores list")).stdout).toMatch(new RegExp(`^id +label +state[^]*^${id} +shop +active`, "m"));
  expect(await run("stores label")).toMatchObject({ code: 2, stderr: "Which label? Either a text, or --none.\n" });
  await run("stores label --none");
  expect(linesOf((await run("stores show --json")).stdout)).toEqual([{ id, state: "active" }]);
  expect(linesOf((await run(`stores show --json --store ${randomUUID()}`)).stdout)).toMatchObject([
    { state: "unused" },
  ]);
});

test("a policy says what it removes, and is kept when somebody agrees", async () => {
  const { run } = await given();
  expect((await run("retention show orders")).stdout).toBe("There is no policy: all is kept.\n");
  expect(await run("retention set orders")).toMatchObject({ code: 2 });
  const tried = await run("retention set orders --max-entries 1 --dry-run --json");
  expect(linesOf(tried.stdout)).toEqual([{ entries: 2, segments: 1, complete: true }]);
  const asked = await run("retention set orders --max-entries 1 --max-age 30d");
  expect(asked).toMatchObject({ code: 2, stdout: "" });
  expect(asked.stderr).toContain("2 entries of 1 segments will be removed now, and more as time goes on.\n");
  expect((await run("retention show orders")).stdout).toContain("no policy");
  const wanted = { maxEntries: 1, maxAgeSeconds: 2_592_000, of: "space" };
  const set = await run("retention set orders --max-entries 1 --max-age 30d --yes --json");
  expect(linesOf(set.stdout)).toEqual([wanted]);
  expect(linesOf((await run("retention show orders --json")).stdout)).toEqual([wanted]);
  expect((await run("retention remove orders")).stdout).toBe("There is no policy of the space orders.\n");
  expect((await run("retention set --max-age 1y --yes")).stderr).toContain("Expected a duration");
  expect((await run("retention set --max-age 5m --yes")).code).toBe(2);
  expect(linesOf((await run("retention set --max-age 1d --yes --json")).stdout)).toMatchObject([{ of: "store" }]);
});

test("a space is deleted by whoever repeats its name, and restored", { timeout: 60_000 }, async () => {
  const { run } = await given();
  const nobody = await run("delete space orders --grace 1d");
  expect(nobody).toMatchObject({ code: 2, stdout: "" });
  expect(nobody.stderr).toBe(
    "The space orders, with 3 entries of 3 bytes, will be deleted. It can be restored for 1d.\nNobody can be asked here: --yes agrees.\n",
  );
  expect(await run("delete space orders", { terminal: true, stdin: "order\n" })).toMatchObject({
    ...{ code: 2, stderr: "Nothing was done.\n" },
  });
  expect((await run("spaces")).stdout).toBe("orders\n");
  const deleted = await run("delete space orders --grace 1d", { terminal: true, stdin: "orders\n" });
  expect(deleted.stdout).toMatch(/^It is deleted\. From 2\d{3}-\S+ \S+ UTC on the job \S+ removes it\.\n$/);
  expect((await run("spaces")).stdout).toBe("");
  const gone = await run("read orders");
  expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining("Code deleted") as string });
  expect((await run("restore space orders")).stdout).toBe("The space orders is there.\n");
  expect((await run("read orders")).stdout.match(/ order-1 \d/g)).toHaveLength(3);
  const never = await run("delete space never --yes");
  expect(never).toMatchObject({ code: 0, stdout: "There is nothing to delete.\n" });
  expect(await run("delete space orders --grace soon --yes")).toMatchObject({ code: 2 });
});

test("so is a store, whose job says when it goes", { timeout: 60_000 }, async () => {
  const { id, run } = await given();
  expect((await run("jobs list")).stdout).toBe("There is no job.\n");
  await run("stores label shop");
  const nobody = await run("delete store");
  expect(nobody.stderr).toContain(`The store ${id} (shop) will be deleted. It can be restored for 7d.\n`);
  const [deletion] = linesOf((await run("delete store --yes --json")).stdout) as {
    readonly removedFrom: number;
    readonly job: string;
  }[];
  const { job, removedFrom } = deletion!;
  expect(linesOf((await run("stores show --json")).stdout)).toEqual([
    { id, label: "shop", state: "deleted", removedFrom },
  ]);
  expect((await run("stores list")).stdout).toMatch(new RegExp(`^${id} +shop +deleted +2\\d{3}-`, "m"));
  expect(linesOf((await run("jobs list --json")).stdout)).toMatchObject([{ id: job, kind: "deleteStore" }]);
  expect((await run(`jobs show ${job}`)).stdout).toMatch(/^state +waiting$/m);
  expect((await run("restore store")).stdout).toBe(`The store ${id} is there.\n`);
  expect((await run("spaces")).stdout).toBe("orders\n");
  const none = randomUUID();
  expect(await run(`jobs show ${none}`)).toMatchObject({ code: 2, stderr: `There is no job ${none}.\n` });
  expect(await run(`jobs wait ${job}`, { signal: AbortSignal.timeout(100) })).toMatchObject({ code: 130 });
});

test("an erasure says that it is for good", { timeout: 60_000 }, async () => {
  const { id, run } = await given();
  expect((await run("delete store --erase")).stderr).toContain(`The store ${id} will be deleted for good.\n`);
  expect((await run("delete space orders --erase --yes")).code).toBe(0);
  const late = await run("restore space orders");
  expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining("It cannot be restored.") as string });
  expect(late.stderr).not.toContain("It may have happened");
});

test("a job is waited for until it is done, and one that fails ends with 1", async () => {
  const states = ["running", "done", "failed"];
  const lastError = { code: "corrupt_data", message: "The block contradicts itself.", at: 1 };
  const service = createServer((_, response) => {
    const state = states.shift();
    response.end(JSON.stringify({ id: "j1", kind: "trimSpace", state, ...(state === "failed" ? { lastError } : {}) }));
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void service.close());
  const { port } = service.address() as AddressInfo;
  const env = { STREAMKIT_URL: `http://127.0.0.1:${port}`, STREAMKIT_STORE: randomUUID() };
  const done = await command(["jobs", "wait", "j1"], { env });
  expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^state +done$/m) as string });
  const failed = await command(["jobs", "wait", "j1"], { env });
  expect(failed).toMatchObject({ code: 1, stderr: "The block contradicts itself.\n" });
});
