// The commands that look after stores: which there are, how long entries are kept, what is deleted, and the work of it.

import type { Command } from "commander";
import type { Deletion, Job, RetentionClient, RetentionPolicy, StoreStatus } from "streamkit-client";
import { UsageError } from "../failures.ts";
import type { Given } from "../given.ts";
import { all } from "../lines.ts";
import type { Doing } from "../program.ts";
import { countText, entriesText, parseCount, parseDuration, timeText } from "../times.ts";
import { spaceOf } from "./looking.ts";

export function addManaging(program: Command, doing: Doing): void {
  addStores(program.command("stores").description("the stores of the app, and what people call them"), doing);
  addRetention(program.command("retention").description("how long entries are kept"), doing);
  addDeleting(program, doing);
  addJobs(program.command("jobs").description("work on the store that takes longer than a call may"), doing);
}

function addStores(stores: Command, doing: Doing): void {
  doing(
    stores.command("list").description("lists those in which something is kept; deleted ones until they are removed"),
    async (given) => {
      const list = await all((await given.client()).listStores(given.signal));
      const columns = ["id", "label", "state", "removedFrom"];
      await given.screen.rows(
        columns,
        list.map((one) => ({ ...one })),
        "There is no store.",
      );
    },
  );
  doing(stores.command("show").description("shows the label and the state of the store"), async (given) => {
    await showStore(given, await (await given.store()).getStatus(given.signal));
  });
  doing(
    stores
      .command("label")
      .description("labels the store, for people; --none takes the label away")
      .argument("[label]")
      .option("--none", "takes it away"),
    async (given, [label], { none }) => {
      if ((label === undefined) !== (none === true)) throw new UsageError("Which label? Either a text, or --none.");
      await showStore(given, await (await given.store()).setLabel(label, given.signal));
    },
  );
}

function showStore(given: Given, status: StoreStatus): Promise<void> {
  return given.screen.fields({ ...status });
}

function addRetention(retention: Command, doing: Doing): void {
  doing(
    retention
      .command("show")
      .description("shows how long entries are kept: of a space, else of the store's spaces without a policy")
      .argument("[space]"),
    async (given, [space]) => {
      const found = await (await retentionOf(given, space)).get(given.signal);
      if (found === undefined) await given.screen.say("There is no policy: all is kept.");
      else await given.screen.fields({ ...found });
    },
  );
  doing(
    retention
      .command("set")
      .description("says how long entries are kept; what is past it is removed for good")
      .argument("[space]", "absent: all spaces without a policy of their own")
      .option("--max-age <duration>", "older ones go: at least 1h, such as 30d")
      .option("--max-entries <count>", "of each segment the newest so many stay")
      .option("--dry-run", "only says what would go")
      .option("--yes", "agrees beforehand"),
    async (given, [space], options) => {
      const policy = policyOf(options);
      const client = await retentionOf(given, space);
      const removed = await client.dryRun(policy, given.signal);
      if (options["dryRun"] === true) {
        await given.screen.fields({ ...removed });
        return;
      }
      const { complete, entries, segments } = removed;
      const much = `${complete ? "" : "At least "}${entriesText(entries)} of ${countText(segments)} segments`;
      await given.confirm(`${much} will be removed now, and more as time goes on.`, options["yes"] === true);
      await given.screen.fields({ ...(await client.put(policy, given.signal)) });
    },
  );
  doing(
    retention
      .command("remove")
      .description("ends a policy: entries are kept, unless the store's policy says otherwise")
      .argument("[space]"),
    async (given, [space]) => {
      await (await retentionOf(given, space)).delete(given.signal);
      await given.screen.say(`There is no policy of ${space === undefined ? "the store" : `the space ${space}`}.`);
    },
  );
}

async function retentionOf(given: Given, space: string | undefined): Promise<RetentionClient> {
  return space === undefined ? (await given.store()).retention : (await spaceOf(given, space)).retention;
}

function policyOf({ maxAge, maxEntries }: Readonly<Record<string, unknown>>): RetentionPolicy {
  const age = typeof maxAge === "string" ? Math.ceil(parseDuration(maxAge) / 1_000) : undefined;
  const entries = typeof maxEntries === "string" ? parseCount(maxEntries) : undefined;
  if (entries !== undefined) return { maxAgeSeconds: age, maxEntries: entries };
  if (age !== undefined) return { maxAgeSeconds: age };
  throw new UsageError("How long are entries kept? --max-age, --max-entries, or both say it.");
}

function addDeleting(program: Command, doing: Doing): void {
  const deleting = program.command("delete").description("deletes a space, or the store, and asks for its name");
  doing(
    howDeleted(deleting.command("space").description("deletes a space with all its segments").argument("<space>")),
    async (given, [space = ""], options) => {
      const client = await spaceOf(given, space);
      const { bytes, entries } = await client.getStatus(given.signal);
      const much = entries === undefined ? "" : `, with ${entriesText(entries)} of ${countText(bytes ?? 0)} bytes,`;
      await given.confirmName(`The space ${space}${much} ${willBe(options)}`, space, options["yes"] === true);
      await tellDeleted(given, await client.delete({ confirm: space, ...wishOf(options), ...given.signal }));
    },
  );
  doing(
    howDeleted(deleting.command("store").description("deletes the store with all its spaces")),
    async (given, _args, options) => {
      const store = await given.store();
      const { label } = await store.getStatus(given.signal);
      const name = label === undefined ? store.storeId : `${store.storeId} (${label})`;
      await given.confirmName(`The store ${name} ${willBe(options)}`, store.storeId, options["yes"] === true);
      await tellDeleted(given, await store.delete({ confirm: store.storeId, ...wishOf(options), ...given.signal }));
    },
  );
  const restoring = program.command("restore").description("undoes a deletion, as long as that can be done");
  doing(
    restoring.command("space").description("restores a space that was deleted").argument("<space>"),
    async (given, [space = ""]) => {
      await (await spaceOf(given, space)).restore(given.signal);
      await given.screen.say(`The space ${space} is there.`);
    },
  );
  doing(restoring.command("store").description("restores the store, when it was deleted"), async (given) => {
    const store = await given.store();
    await store.restore(given.signal);
    await given.screen.say(`The store ${store.storeId} is there.`);
  });
}

function howDeleted(command: Command): Command {
  return command
    .option("--grace <duration>", "how long it can be restored", "7d")
    .option("--erase", "it can never be restored, and goes as soon as can be")
    .option("--yes", "agrees beforehand");
}

function wishOf({ erase, grace }: Readonly<Record<string, unknown>>): {
  readonly erase?: boolean;
  readonly graceInSeconds?: number;
} {
  return erase === true ? { erase } : { graceInSeconds: Math.ceil(parseDuration(String(grace)) / 1_000) };
}

function willBe({ erase, grace }: Readonly<Record<string, unknown>>): string {
  if (erase === true) return "will be deleted for good.";
  // Refused before anybody is asked.
  parseDuration(String(grace));
  return `will be deleted. It can be restored for ${String(grace)}.`;
}

async function tellDeleted(given: Given, deletion: Deletion | undefined): Promise<void> {
  if (deletion === undefined) {
    await given.screen.say("There is nothing to delete.");
    return;
  }
  const { job, removedFrom } = deletion;
  if (given.screen.json) await given.screen.fields({ removedFrom, job: job.id });
  else await given.screen.say(`It is deleted. From ${timeText(removedFrom)} UTC on the job ${job.id} removes it.`);
}

function addJobs(jobs: Command, doing: Doing): void {
  doing(
    jobs.command("list").description("lists those of the store, and those that ended within a week"),
    async (given) => {
      const list = await all((await given.store()).jobs.list(given.signal));
      const columns = ["id", "kind", "state", "space", "segment", "createdAt", "workedAt"];
      await given.screen.rows(
        columns,
        list.map((one) => ({ ...one })),
        "There is no job.",
      );
    },
  );
  doing(jobs.command("show").description("shows how far one is").argument("<id>"), async (given, [id = ""]) => {
    const found = await (await given.store()).jobs.get(id, given.signal);
    if (found === undefined) throw new UsageError(`There is no job ${id}.`);
    await showJob(given, found);
  });
  doing(
    jobs.command("wait").description("waits until one is done; exit code 1 when it fails").argument("<id>"),
    async (given, [id = ""]) => showJob(given, await (await given.store()).jobs.wait(id, given.signal)),
  );
}

function showJob(given: Given, job: Job): Promise<void> {
  return given.screen.fields({ ...job });
}
