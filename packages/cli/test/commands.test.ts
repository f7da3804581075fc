// The commands against the local server: what they answer, how they fail, what they ask.

import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startServer } from "../src/local/start-local.ts";
import type { LocalServer } from "../src/local/start-local.ts";
import { command } from "./command.ts";
import type { CommandOptions, Ran } from "./command.ts";

const linkKey = `pages:${"s".repeat(32)}`;
const keyedOptions = { key: "open sesame", settings: { STREAMKIT_LINK_KEYS: linkKey } };

let server: LocalServer;
let keyed: LocalServer;
let folder: string;
beforeAll(async () => {
  const program = pathToFileURL(inject("localServer"));
  [server, keyed] = await Promise.all([startServer(program, {}), startServer(program, keyedOptions)]);
  folder = await mkdtemp(join(tmpdir(), "streamkit-cli-"));
});
afterAll(async () => {
  await Promise.all([server.stop(), keyed.stop()]);
  await rm(folder, { recursive: true });
});

/** Each with a store of its own. */
function store(): (line: string, options?: CommandOptions) => Promise<Ran> {
  const env = { STREAMKIT_URL: server.url, STREAMKIT_STORE: randomUUID() };
  return (line, options = {}) => command(line.split(" "), { ...options, env: { ...env, ...options.env } });
}

const linesOf = (text: string): unknown[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

test("a link reads its segment without a key; without a key to sign it there is none", async () => {
  const env = { STREAMKIT_URL: keyed.url, STREAMKIT_STORE: randomUUID(), STREAMKIT_KEY: "open sesame" };
  await command(["append", "orders", "order-1", "1"], { env });
  const made = await command(["link", "orders", "order-1", "--for", "10m", "--link-key", linkKey], { env });
  const answer = await fetch(`${made.stdout.trim()}?encoding=json`);
  expect(await answer.json()).toMatchObject({ entries: [{ payload: 1 }] });
  const byEnvironment = await command(["link", "orders", "order-1", "--json"], {
    env: { ...env, STREAMKIT_LINK_KEY: linkKey },
  });
  expect(byEnvironment.stdout).toMatch(/^\{"link":"http:\/\/127[^"]+"\}\n$/);
  const refused = await command(["link", "orders", "order-1"], { env });
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("--link-key or STREAMKIT_LINK_KEY")]);
});

test("what is appended is listed, read, and told where it is", async () => {
  const run = store();
  const appended = await run('append orders order-1 {"a":1} [2] --metadata source=web --json');
  expect(linesOf(appended.stdout)).toMatchObject([{ firstSequence: 1, lastSequence: 2, duplicate: false }]);
  await run('append orders order-2 "x"');
  expect((await run("spaces")).stdout).toBe("orders\n");
  expect((await run("segments orders --json")).stdout).toBe('{"segment":"order-1"}\n{"segment":"order-2"}\n');
  const read = await run("read orders --json");
  expect(linesOf(read.stdout)).toMatchObject([
    { segment: "order-1", sequence: 1, payload: { a: 1 }, metadata: { source: "web" } },
    { segment: "order-1", sequence: 2, payload: [2] },
    { segment: "order-2", sequence: 1, payload: "x" },
  ]);
  expect((await run("read orders order-1 --from 2")).stdout).toMatch(/^\S+ \S+ order-1 2 \[2\] source=web\n$/);
  expect((await run("last orders order-1")).stdout).toMatch(/ order-1 2 \[2\]/);
  expect((await run("last orders order-9")).stdout).toBe("There is no entry.\n");
  expect(linesOf((await run("status orders order-1 --json")).stdout)).toMatchObject([{ lastSequence: 2 }]);
  const table = (await run("status orders")).stdout.split("\n");
  expect(table[0]).toMatch(/^segment +firstSequence +lastSequence +lastTimestamp$/);
  expect(table[1]).toMatch(/^order-1 +1 +2 +2\d{3}-/);
});

test("the lines of stdin and of a file are payloads; what is no JSON is refused before it is sent, unless it is text", async () => {
  const run = store();
  const many = Array.from({ length: 2_500 }, (_, index) => String(index)).join("\n");
  expect(linesOf((await run("append logs a --json", { stdin: many })).stdout)).toMatchObject([
    { firstSequence: 1, lastSequence: 2_500 },
  ]);
  const path = join(folder, "lines.txt");
  await writeFile(path, "not json\nat all\n");
  const refused = await run(`append logs b --file ${path}`);
  expect(refused).toMatchObject({ code: 2, stderr: "Payload 1 is not JSON: not json. --text takes it as text.\n" });
  expect(await run(`append logs b --text --file ${path}`)).toMatchObject({ code: 0 });
  expect(linesOf((await run("read logs b --json")).stdout)).toMatchObject([
    { payloadText: "not json" },
    { payloadText: "at all" },
  ]);
  expect(await run(`append logs b --file ${join(folder, "none")}`)).toMatchObject({ code: 1 });
  expect(await run("append logs b")).toMatchObject({ code: 2, stderr: "There is nothing to append.\n" });
});

test("an append says where it expects the end, and a repeat with its key writes nothing", async () => {
  const run = store();
  expect(await run("append orders a 1 --expected none")).toMatchObject({ code: 0 });
  const late = await run("append orders a 2 --expected none");
  expect(late.code).toBe(3);
  expect(late.stderr).toMatch(/ends at sequence 1[^]*Code sequence_mismatch, request /);
  const many = Array.from({ length: 1_500 }, () => "1").join("\n");
  const keyed = "append orders a --json --idempotency-key mine";
  await run(keyed, { stdin: many });
  expect(linesOf((await run(keyed, { stdin: many })).stdout)).toMatchObject([
    { firstSequence: 2, lastSequence: 1_501, duplicate: true },
  ]);
});

test("tail shows the newest and goes on with what comes, until it is interrupted", async () => {
  const run = store();
  await run("append orders a 1 2 3");
  expect((await run("tail orders -n 2")).stdout.match(/ a \d/g)).toEqual([" a 2", " a 3"]);
  expect((await run("tail orders a --since 1h")).stdout.match(/ a \d/g)).toHaveLength(3);
  const interrupted = new AbortController();
  const seen: string[] = [];
  const following = run("tail orders -n 1 -f", {
    signal: interrupted.signal,
    onOutput: (text) => {
      seen.push(...(text.match(/ a \d/g) ?? []));
      if (seen.length === 1) void run("append orders a 4");
      if (seen.length === 2) interrupted.abort();
    },
  });
  expect(await following).toMatchObject({ code: 130, stderr: "" });
  expect(seen).toEqual([" a 3", " a 4"]);
});

test("what destroys says how much it is and does nothing before somebody agrees", async () => {
  const run = store();
  await run("append orders a 1 2 3");
  const asked = await run("trim orders a --before 3");
  expect(asked).toMatchObject({ code: 2, stdout: "" });
  expect(asked.stderr).toBe("2 entries of the segment a will be removed.\nNobody can be asked here: --yes agrees.\n");
  expect((await run("read orders a")).stdout.match(/ a \d/g)).toHaveLength(3);
  expect(linesOf((await run("trim orders a --before 3 --yes --json")).stdout)).toMatchObject([{ firstSequence: 3 }]);
  const space = await run("trim orders --before 2999-01-01 --yes --json");
  expect(linesOf(space.stdout)).toMatchObject([{ state: "done" }]);
  expect((await run("read orders")).stdout).toBe("");
});

test("a lease is another's until it is released", async () => {
  const run = store();
  expect(await run("leases acquire nightly --holder me --for 1m")).toMatchObject({ code: 0 });
  const refused = await run("leases acquire nightly --holder you");
  expect(refused).toMatchObject({ code: 3 });
  expect(refused.stderr).toContain('The lease is held by "me".');
  await run("leases release nightly --holder me");
  expect(await run("leases acquire nightly --holder you")).toMatchObject({ code: 0 });
});

test("subscriptions are made, shown and ended", async () => {
  const run = store();
  const put = await run("subscriptions put mine --space orders --webhook http://127.0.0.1:1/ --json");
  expect(linesOf(put.stdout)).toMatchObject([{ id: "mine", secret: expect.stringMatching(/^whsec_/) as string }]);
  expect((await run("subscriptions list")).stdout).toMatch(/^mine +orders +\* +http:\/\/127\.0\.0\.1:1\//m);
  expect(linesOf((await run("subscriptions get mine --json")).stdout)).toMatchObject([{ delivered: 0 }]);
  expect(await run("subscriptions put mine --space orders")).toMatchObject({ code: 2 });
  expect(await run("subscriptions delete mine")).toMatchObject({ code: 2 });
  expect(await run("subscriptions delete mine --yes")).toMatchObject({ code: 0 });
  expect((await run("subscriptions list")).stdout).toBe("There is no subscription.\n");
  expect(await run("subscriptions get mine")).toMatchObject({ code: 2, stderr: "There is no subscription mine.\n" });
});

test("auth status says who one is and what one may, and never the key", async () => {
  const env = { STREAMKIT_URL: keyed.url, STREAMKIT_STORE: randomUUID() };
  const nobody = await command(["auth", "status"], { env });
  expect(nobody).toMatchObject({ code: 0 });
  expect(nobody.stdout).toMatch(/^identity +nobody[^]*^reading +refused/m);
  const known = await command(["auth", "status"], { env: { ...env, STREAMKIT_KEY: "open sesame" } });
  expect(known.stdout).toMatch(/^identity +a key of the app[^]*^reading +allowed$/m);
  expect(known.stdout).not.toContain("sesame");
  const payload = Buffer.from(JSON.stringify({ sub: "ci", exp: 1_800_000_000, scp: "streamkit::*" })).toString(
    "base64url",
  );
  const token = await command(["auth", "status", "--json"], { env: { ...env, STREAMKIT_TOKEN: `e30.${payload}.x` } });
  expect(linesOf(token.stdout)).toMatchObject([{ identity: "a token", subject: "ci", scopes: "streamkit::*" }]);
  const denied = await command(["spaces"], { env });
  expect(denied.code).toBe(4);
  expect(denied.stderr).toContain("Give a key with --key or STREAMKIT_KEY");
});

test("a command that is wrong ends with 2 and says what is right", async () => {
  const run = store();
  expect(await run("reed")).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean read?") as string });
  expect(await run("read")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing required argument") as string,
  });
  expect((await run("read orders --since yesterday")).stderr).toContain("Expected a time such as 2026-01-31T12:00:00Z");
  expect(await run("read orders --limit 0")).toMatchObject({ code: 2 });
  const nowhere = await command(["spaces"], { env: { STREAMKIT_URL: server.url } });
  expect(nowhere).toMatchObject({ code: 2, stderr: "Which store? --store or STREAMKIT_STORE says it: a UUID.\n" });
  expect(await command(["--version"])).toMatchObject({ code: 0, stdout: "0.0.0\n" });
});

test("colours are for terminals, and not with NO_COLOR or --no-color", async () => {
  const run = store();
  await run("append orders a 1");
  const coloured = (await run("read orders", { terminal: true })).stdout;
  expect(coloured).toContain("\u001b[36ma 1\u001b[39m");
  const plain = (await run("read orders")).stdout;
  expect(plain).not.toContain("\u001b");
  expect((await run("read orders", { terminal: true, env: { NO_COLOR: "1" } })).stdout).toBe(plain);
  expect((await run("read orders --no-color", { terminal: true })).stdout).toBe(plain);
});

test("what controls a terminal is shown, not sent to it", async () => {
  const run = store();
  const stdin = "\u001b[2Jgone\n";
  await run("append orders a --text", { stdin });
  expect((await run("read orders", { terminal: true, env: { NO_COLOR: "1" } })).stdout).toMatch(
    / a 1 \\u001b\[2Jgone\n$/,
  );
});

test("help fits 80 columns", async () => {
  for (const line of ["--help", "read --help", "append --help", "subscriptions --help", "dev --help"]) {
    const { code, stdout } = await command(line.split(" "), { terminal: true });
    expect(code).toBe(0);
    // The environment and the codes are two lines of their own.
    const own = stdout.split("\nExit codes:")[0] ?? "";
    for (const text of own.split("\n")) expect(text.length, text).toBeLessThanOrEqual(80);
  }
});
