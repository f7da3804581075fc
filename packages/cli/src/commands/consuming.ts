// The commands for consumers: how they stand, how they are set back, and what becomes of what is parked.

import type { Command } from "commander";
import type { ConsumerClient, ConsumerFrom, ConsumerState, WhichParked } from "streamkit-client";
import { UsageError } from "../failures.ts";
import type { Given } from "../given.ts";
import { all } from "../lines.ts";
import type { Doing } from "../program.ts";
import { countText, parseTime } from "../times.ts";

export function addConsuming(program: Command, doing: Doing): void {
  addConsumers(
    program.command("consumers").description("who reads spaces with positions that the service keeps"),
    doing,
  );
  addParked(program.command("parked").description("entries that workers of a consumer could not handle"), doing);
}

function addConsumers(consumers: Command, doing: Doing): void {
  doing(
    consumers.command("list").description("lists those of the store, and how far each is behind"),
    async (given) => {
      const store = await given.store();
      const states = await Promise.all(
        (await store.listConsumers(given.signal)).map(({ name }) => store.getConsumerClient(name).get(given.signal)),
      );
      // One that was removed meanwhile is none.
      const rows = states.flatMap((state) => (state === undefined ? [] : [{ ...summaryOf(state) }]));
      const columns = ["name", "spaces", "partitions", "workers", "lagSeconds", "parked", "paused"];
      await given.screen.rows(columns, rows, "There is no consumer.");
    },
  );
  doing(
    consumers
      .command("show")
      .description("shows each partition: who holds it, how far it is behind, what fails and what is parked")
      .argument("<name>"),
    async (given, [name = ""]) => {
      const found = await stateOf(given, name);
      if (given.screen.json) {
        await given.screen.fields({ ...found });
        return;
      }
      const { state, ...rules } = found;
      await given.screen.fields(rules);
      const rows = state.map((one) => ({ ...one, lagSeconds: one.lagMs / 1_000, fails: one.failing?.reason }));
      const columns = ["partition", "holder", "lagSeconds", "outstanding", "acknowledgedAt", "parked", "fails"];
      await given.screen.rows(columns, rows, "It has no partition.");
    },
  );
  doing(
    consumers
      .command("reset")
      .description(
        "sets one back, or ahead: what is delivered again is produced again, and what is parked is forgotten",
      )
      .argument("<name>")
      .requiredOption("--to <place>", "start, end, or a time, or how long ago, such as 1h")
      .option("--yes", "agrees beforehand"),
    async (given, [name = ""], { to, yes }) => {
      const from = fromOf(String(to));
      const { parked, workers } = summaryOf(await stateOf(given, name));
      const what = `The consumer ${name} will go on from ${String(to)}: ${countText(workers)} workers lose what they hold, and ${countText(parked)} parked are forgotten.`;
      await given.confirm(what, yes === true);
      const state = await (await consumerOf(given, name)).reset(from, given.signal);
      await given.screen.fields({ ...summaryOf(state) });
    },
  );
  doing(
    consumers
      .command("delete")
      .description("removes one, with its positions and what is parked")
      .argument("<name>")
      .option("--yes", "agrees beforehand"),
    async (given, [name = ""], { yes }) => {
      const { parked } = summaryOf(await stateOf(given, name));
      const what = `The positions of the consumer ${name} will be forgotten, and ${countText(parked)} parked.`;
      await given.confirm(what, yes === true);
      await (await consumerOf(given, name)).delete(given.signal);
      await given.screen.say(`There is no consumer ${name} any more.`);
    },
  );
}

function addParked(parked: Command, doing: Doing): void {
  doing(
    parked
      .command("list")
      .description("lists the first parked entry of each segment, and why it is parked")
      .argument("<consumer>"),
    async (given, [name = ""]) => {
      const list = await all((await consumerOf(given, name)).listParked(given.signal));
      const columns = ["id", "space", "segment", "sequence", "failures", "parkedAt", "replay", "gone", "reason"];
      await given.screen.rows(
        columns,
        list.map((one) => ({ ...one })),
        "Nothing is parked.",
      );
    },
  );
  doing(
    which(parked.command("replay").description("has what is parked delivered again, before what is new")),
    async (given, [name = "", ...ids], options) => {
      const client = await consumerOf(given, name);
      await settle(given, (limit) => client.replayParked(whichOf(ids, options), { limit, ...given.signal }));
    },
  );
  doing(
    which(parked.command("drop").description("forgets what is parked, and goes on behind it")).option(
      "--yes",
      "agrees beforehand",
    ),
    async (given, [name = "", ...ids], options) => {
      const meant = whichOf(ids, options);
      const what = "all" in meant ? `All that is parked of the consumer ${name}` : "What is parked there";
      await given.confirm(`${what} will not be handled.`, options["yes"] === true);
      const client = await consumerOf(given, name);
      await settle(given, (limit) => client.dropParked(meant, { limit, ...given.signal }));
    },
  );
}

function which(command: Command): Command {
  return command
    .argument("<consumer>")
    .argument("[id...]", "each means its segment up to its entry")
    .option("--all", "all that is parked");
}

function whichOf(ids: readonly string[], { all: isAll }: Readonly<Record<string, unknown>>): WhichParked {
  if (isAll === true && ids.length === 0) return { all: true };
  if (isAll !== true && ids.length > 0) return { ids };
  throw new UsageError("Which of them? Either ids, as `streamkit parked list` shows them, or --all.");
}

/** How many of a call: what is left is told with its answer. */
const settledTogether = 1_000;

async function settle(
  given: Given,
  call: (limit: number) => Promise<{ readonly changed: number; readonly more: boolean }>,
): Promise<void> {
  let changed = 0;
  for (;;) {
    const answer = await call(settledTogether);
    changed += answer.changed;
    if (!answer.more) break;
  }
  await given.screen.fields({ changed });
}

async function consumerOf(given: Given, name: string): Promise<ConsumerClient<unknown>> {
  return (await given.store()).getConsumerClient(name);
}

async function stateOf(given: Given, name: string): Promise<ConsumerState> {
  const state = await (await consumerOf(given, name)).get(given.signal);
  if (state === undefined) throw new UsageError(`There is no consumer ${name}.`);
  return state;
}

function summaryOf({ name, partitions, paused, spaces, state }: ConsumerState) {
  return {
    ...{ name, spaces: spaces.join(" "), partitions, paused },
    workers: new Set(state.flatMap(({ holder }) => (holder === undefined ? [] : [holder]))).size,
    lagSeconds: Math.max(0, ...state.map(({ lagMs }) => lagMs)) / 1_000,
    parked: state.reduce((sum, { parked }) => sum + parked, 0),
  };
}

function fromOf(text: string): ConsumerFrom {
  return text === "start" || text === "end" ? text : { timestamp: parseTime(text, Date.now()) };
}
