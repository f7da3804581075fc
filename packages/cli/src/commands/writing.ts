// The commands that change something: append, trim, leases, subscriptions.

import type { Command } from "commander";
import { isStreamkitError } from "streamkit-client";
import type { AppendResult, Expected, StreamRecord, SubscriptionTarget } from "streamkit-client";
import { UsageError } from "../failures.ts";
import type { Given } from "../given.ts";
import { batchesOf, recordsOf } from "../lines.ts";
import type { Doing } from "../program.ts";
import { countText, entriesText, parseCount, parseDuration, parseTime, timeText } from "../times.ts";
import { spaceOf } from "./looking.ts";

interface AppendOptions {
  readonly file?: string;
  readonly text?: boolean;
  readonly metadata?: readonly string[];
  readonly expected?: string;
  readonly idempotencyKey?: string;
}

export function addWriting(program: Command, doing: Doing): void {
  doing(
    program
      .command("append")
      .description("appends records to a segment: the payloads that are given, else the lines of a file or of stdin")
      .argument("<space>")
      .argument("<segment>")
      .argument("[payload...]", "each of JSON, unless --text")
      .option("--file <path>", "a payload from each of its lines")
      .option("--text", "payloads are text as it is, not JSON")
      .option("--metadata <key=value...>", "beside each payload")
      .option("--expected <sequence>", "only where the segment ends there; none: only where there never was an entry")
      .option("--idempotency-key <key>", "makes a repeat of this command the same write"),
    append,
  );

  doing(
    program
      .command("trim")
      .description("removes the oldest entries of a segment, or of a space")
      .argument("<space>")
      .argument("[segment]")
      .requiredOption(
        "--before <place>",
        "of a segment: a sequence, which stays; of a space: a time, or an age such as 30d",
      )
      .option("--yes", "agrees beforehand"),
    async (given, [space = "", segment], { before, yes }) => {
      const client = await spaceOf(given, space);
      if (segment === undefined) {
        const beforeTimestamp = parseTime(String(before), Date.now());
        const what = `All entries of the space ${space} that are older than ${timeText(beforeTimestamp)} will be removed.`;
        await given.confirm(what, yes === true);
        await given.screen.fields({ ...(await client.trim({ beforeTimestamp, ...given.signal })) });
        return;
      }
      const sequence = parseCount(String(before));
      const target = client.getSegmentClient(segment);
      const { firstSequence, lastSequence } = await target.getStatus(given.signal);
      const gone = Math.max(0, Math.min(sequence, lastSequence + 1) - Math.max(firstSequence, 1));
      await given.confirm(`${entriesText(gone)} of the segment ${segment} will be removed.`, yes === true);
      await given.screen.fields({ ...(await target.trim(sequence, given.signal)) });
    },
  );

  addLeases(program.command("leases").description("who may do what only one may do at a time"), doing);
  addSubscriptions(program.command("subscriptions").description("who is told when segments change"), doing);
}

function addLeases(leases: Command, doing: Doing): void {
  doing(
    leases
      .command("acquire")
      .description("acquires a lease, or renews it as the same holder; exit code 3 when another has it")
      .argument("<key>")
      .requiredOption("--holder <name>", "who asks")
      .option("--for <duration>", "how long it lasts", "30s"),
    async (given, [key = ""], options) => {
      const seconds = Math.ceil(parseDuration(String(options["for"])) / 1_000);
      const lease = (await given.store()).getLeaseClient(key);
      await given.screen.fields({ ...(await lease.acquire(String(options["holder"]), seconds, given.signal)) });
    },
  );
  doing(
    leases
      .command("release")
      .description("gives a lease back")
      .argument("<key>")
      .requiredOption("--holder <name>", "who has it"),
    async (given, [key = ""], { holder }) => {
      await (await given.store()).getLeaseClient(key).release(String(holder), given.signal);
      await given.screen.say(`${String(holder)} does not have ${key} any more.`);
    },
  );
}

function addSubscriptions(subscriptions: Command, doing: Doing): void {
  doing(
    subscriptions.command("list").description("lists those of the store, and how their deliveries go"),
    async (given) => {
      const list = await (await given.store()).subscriptions.list(given.signal);
      const rows = list.map((one) => ({ ...one, goesTo: one.target.queue ?? one.target.webhook }));
      const columns = ["id", "space", "segment", "goesTo", "delivered", "failed", "disabledAt"];
      await given.screen.rows(columns, rows, "There is no subscription.");
    },
  );
  doing(subscriptions.command("get").description("shows one").argument("<id>"), async (given, [id = ""]) => {
    const found = await (await given.store()).subscriptions.get(id, given.signal);
    if (found === undefined) throw new UsageError(`There is no subscription ${id}.`);
    await given.screen.fields({ ...found });
  });
  doing(
    subscriptions
      .command("put")
      .description("makes a subscription, or changes it; the secret of a webhook is shown once")
      .argument("<id>")
      .requiredOption("--space <name>", "of which space; *: of any")
      .option("--segment <name>", "of which segment; *: of any", "*")
      .option("--webhook <url>", "where messages go")
      .option("--queue <name>", "where messages go: a queue of the app's storage account"),
    async (given, [id = ""], options) => {
      const { space, segment } = options as { readonly space: string; readonly segment: string };
      const wanted = { space, segment, target: targetOf(options) };
      await given.screen.fields({ ...(await (await given.store()).subscriptions.put(id, wanted, given.signal)) });
    },
  );
  doing(
    subscriptions.command("delete").description("ends one").argument("<id>").option("--yes", "agrees beforehand"),
    async (given, [id = ""], { yes }) => {
      await given.confirm(`Messages of the subscription ${id} that wait will not be delivered.`, yes === true);
      await (await given.store()).subscriptions.delete(id, given.signal);
      await given.screen.say(`There is no subscription ${id} any more.`);
    },
  );
}

function targetOf({ webhook, queue }: Readonly<Record<string, unknown>>): SubscriptionTarget {
  if (typeof webhook === "string" && queue === undefined) return { webhook };
  if (typeof queue === "string" && webhook === undefined) return { queue };
  throw new UsageError("Where do messages go? Either --webhook or --queue says it.");
}

async function append(
  given: Given,
  [space = "", segment = "", ...payloads]: readonly string[],
  options: AppendOptions,
): Promise<void> {
  const client = (await spaceOf(given, space)).getSegmentClient(segment);
  const metadata = metadataOf(options.metadata ?? []);
  const records = recordsOf({
    shell: given.shell,
    payloads,
    file: options.file,
    isText: options.text ?? false,
    metadata,
  });
  let expected = expectedOf(options.expected);
  const progress = given.screen.progress("appended", undefined);
  let written: AppendResult | undefined;
  let count = 0;
  try {
    for await (const batch of batchesOf(records, (record: StreamRecord<Uint8Array>) => record.payload.byteLength)) {
      const idempotencyKey = keyOf(options.idempotencyKey, count);
      const result: AppendResult = await client.append(batch, { expected, idempotencyKey, ...given.signal });
      written = { ...result, firstSequence: written?.firstSequence ?? result.firstSequence };
      count += batch.length;
      progress.add(batch.length);
      if (expected !== "any") expected = result.lastSequence;
    }
  } catch (error) {
    if (count > 0 && isStreamkitError(error))
      given.shell.stderr.write(`The first ${countText(count)} records are written.\n`);
    throw error;
  } finally {
    progress.stop();
  }
  if (written === undefined) throw new UsageError("There is nothing to append.");
  const { firstSequence, lastSequence, offset, duplicate } = written;
  await given.screen.fields({ firstSequence, lastSequence, offset, duplicate });
}

/** Each batch has a key of its own, the same in a repeat: the lines are. */
function keyOf(key: string | undefined, written: number): string | undefined {
  return key === undefined || written === 0 ? key : `${key}+${written}`;
}

function metadataOf(pairs: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError(`Expected key=value for --metadata; received "${pair}".`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function expectedOf(text: string | undefined): Expected {
  if (text === undefined) return "any";
  return text === "none" ? text : parseCount(text, 0);
}
