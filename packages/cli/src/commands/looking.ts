// The commands that only look: names, entries, where segments end, how the app does, who one is.

import type { Command } from "commander";
import { bytes } from "streamkit-client";
import type { Entry, ReadLinkKey, SegmentClient, SpaceClient } from "streamkit-client";
import { UsageError } from "../failures.ts";
import type { Given } from "../given.ts";
import type { Doing } from "../program.ts";
import { all } from "../lines.ts";
import { parseCount, parseDuration, parseTime } from "../times.ts";
import { authStatus } from "./auth.ts";

export async function spaceOf(given: Given, space: string): Promise<SpaceClient<Uint8Array>> {
  return (await given.store()).getSpaceClient(space, { codec: bytes() });
}

function readLinkKey(text = ""): ReadLinkKey {
  const [name = "", ...rest] = text.split(":");
  const secret = rest.join(":");
  if (name !== "" && secret !== "") return { name, secret };
  throw new UsageError("Which key signs the link? --link-key or STREAMKIT_LINK_KEY says it: <name>:<secret>.");
}

interface ReadOptions {
  readonly from?: string;
  readonly to?: string;
  readonly offset?: string;
  readonly since?: string;
  readonly until?: string;
  readonly last?: string;
  readonly limit?: string;
  readonly lines?: string;
  readonly follow?: boolean;
}

export function addLooking(program: Command, doing: Doing): void {
  doing(program.command("spaces").description("lists the spaces of the store"), async (given) => {
    for await (const name of (await given.store()).listSpaces(given.signal)) await given.screen.name(name, "space");
  });

  doing(
    program.command("segments").description("lists the segments of a space").argument("<space>"),
    async (given, [space = ""]) => {
      for await (const name of (await spaceOf(given, space)).listSegments(given.signal))
        await given.screen.name(name, "segment");
    },
  );

  doing(
    program
      .command("link")
      .description("makes a link that lets its holder read one segment without a key, such as a page in a browser")
      .argument("<space>")
      .argument("<segment>")
      .option("--for <duration>", "how long it is good, at most 24h", "1h")
      .option("--stream", "as a Durable Stream, for clients of that protocol")
      .option("--link-key <name:secret>", "a key of the app's STREAMKIT_LINK_KEYS (default: STREAMKIT_LINK_KEY)"),
    async (given, [space = "", segment = ""], { for: lasts, linkKey, stream }) => {
      const expiresInSeconds = parseDuration(String(lasts)) / 1_000;
      const form = stream === true ? "stream" : "entries";
      const key = readLinkKey((linkKey as string | undefined) ?? given.shell.env["STREAMKIT_LINK_KEY"]);
      const target = (await spaceOf(given, space)).getSegmentClient(segment);
      await given.screen.name(await target.createReadLink({ key, form, expiresInSeconds }), "link");
    },
  );

  doing(
    program
      .command("read")
      .description("shows the entries of a segment, or of a space in the one order of all its segments")
      .argument("<space>")
      .argument("[segment]")
      .option("--from <sequence>", "of a segment: the first")
      .option("--to <sequence>", "of a segment: the last, inclusive")
      .option("--offset <offset>", "of a space: those behind this place")
      .option("--since <time>", "only later ones: a time, or how long ago, such as 1h")
      .option("--until <time>", "only those up to this time")
      .option("--last <count>", "only the newest so many, at most 1,000")
      .option("--limit <count>", "at most so many"),
    async (given, [space = "", segment], options) => {
      for await (const entry of await entriesOf(given, space, segment, options)) await given.screen.entry(entry);
    },
  );

  doing(
    program
      .command("tail")
      .description("shows the newest entries; with --follow also those that come, until Ctrl-C")
      .argument("<space>")
      .argument("[segment]")
      .option("-n, --lines <count>", "how many, at most 1,000", "10")
      .option("-f, --follow", "go on with what comes")
      .option("--since <time>", "those later than this, in the place of a number: a time, or how long ago, such as 1h"),
    async (given, [space = "", segment], options) => tail(given, space, segment, options),
  );

  doing(
    program.command("last").description("shows the last entry of a segment").argument("<space>").argument("<segment>"),
    async (given, [space = "", segment = ""]) => {
      const entry = await (await spaceOf(given, space)).getSegmentClient(segment).getLastEntry(given.signal);
      if (entry === undefined) await given.screen.say("There is no entry.");
      else await given.screen.entry(entry);
    },
  );

  doing(
    program
      .command("status")
      .description("shows where a segment, or every segment of a space, begins and ends")
      .argument("<space>")
      .argument("[segment]"),
    async (given, [space = "", segment]) => {
      const client = await spaceOf(given, space);
      if (segment !== undefined) {
        const status = await client.getSegmentClient(segment).getStatus(given.signal);
        await given.screen.fields({ ...status });
        return;
      }
      const rows = await all(client.getStatuses(given.signal));
      const columns = ["segment", "firstSequence", "lastSequence", "lastTimestamp"];
      await given.screen.rows(
        columns,
        rows.map((row) => ({ ...row })),
        "There is no segment.",
      );
    },
  );

  doing(
    program
      .command("health")
      .description("says whether the app answers; with --deep also whether its storage does")
      .option("--deep", "asks the storage"),
    async (given, _args, { deep }) => {
      const health = await (await given.client()).getHealth({ deep: deep === true, ...given.signal });
      await given.screen.fields({ ...health });
    },
  );

  const auth = program.command("auth").description("who one is to the app");
  doing(auth.command("status").description("says who you are, and what you may"), authStatus);
}

/** A segment is read by its sequences, a space by its offsets. */
async function entriesOf(
  given: Given,
  space: string,
  segment: string | undefined,
  options: ReadOptions,
): Promise<AsyncIterable<Entry<Uint8Array>>> {
  const client = await spaceOf(given, space);
  const { from, to, offset, last, limit } = options;
  const bounds = {
    ...{ after: time(options.since), until: time(options.until) },
    ...{ last: count(last), limit: count(limit), ...given.signal },
  };
  return segment === undefined
    ? client.read({ ...bounds, offset })
    : client.getSegmentClient(segment).read({ ...bounds, from: count(from), to: count(to) });
}

async function tail(given: Given, space: string, segment: string | undefined, options: ReadOptions): Promise<void> {
  const client = await spaceOf(given, space);
  const target: SpaceClient<Uint8Array> | SegmentClient<Uint8Array> =
    segment === undefined ? client : client.getSegmentClient(segment);
  const { since, lines = "10", follow = false } = options;
  let shown: Entry<Uint8Array> | undefined;
  const bounds = since === undefined ? { last: parseCount(lines) } : { after: time(since) };
  for await (const entry of target.read({ ...bounds, clamp: true, ...given.signal })) {
    await given.screen.entry(entry);
    shown = entry;
  }
  if (!follow) return;
  // Behind what was shown; where there was nothing, from the beginning: what came since then is new.
  const place =
    shown === undefined ? {} : segment === undefined ? { offset: shown.offset } : { from: shown.sequence + 1 };
  for await (const entry of target.follow({ ...place, after: time(since), clamp: true, ...given.signal }))
    await given.screen.entry(entry);
}

function count(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseCount(text);
}

function time(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseTime(text, Date.now());
}
