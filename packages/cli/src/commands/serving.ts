// `streamkit dev`: the app on this machine, until Ctrl-C.

import type { Command } from "commander";
import { once } from "node:events";
import { startServer } from "../local/start-local.ts";
import { CommandFailure } from "../failures.ts";
import type { Doing } from "../program.ts";
import { parseCount } from "../times.ts";

const server = new URL("./local/worker.js", import.meta.url);

export function addServing(program: Command, doing: Doing): void {
  doing(
    program
      .command("dev")
      .description(
        "runs the app on this machine, in memory or in a folder: for development and tests, not for production",
      )
      .option("--port <number>", "where it listens, on this machine alone; 0: any free one", "7071")
      .option("--folder <path>", "keeps the events from one start to the next")
      .option("--require-key <key>", "the key that calls have to show")
      .option("--verbose", "shows the log"),
    async (given, _args, options) => {
      const { port, folder, requireKey, verbose } = options as {
        readonly port: string;
        readonly folder?: string;
        readonly requireKey?: string;
        readonly verbose?: boolean;
      };
      const startedAt = performance.now();
      await using running = await startServer(server, {
        ...{ port: parseCount(port, 0), folder, key: requireKey },
        log: (line) => {
          if (verbose === true) given.shell.stderr.write(`${line}\n`);
        },
      });
      const ms = Math.round(performance.now() - startedAt);
      if (given.screen.json) await given.screen.fields({ url: running.url, ms });
      else await given.screen.say(greeting(running.url, folder, ms));
      const { signal } = given.shell;
      const interrupted = signal.aborted ? Promise.resolve() : once(signal, "abort");
      const ended = await Promise.race([running.ended, interrupted.then(() => "interrupted" as const)]);
      if (ended !== "interrupted")
        throw new CommandFailure(`The server ended: ${ended?.message ?? "nobody knows why"}`);
    },
  );
}

function greeting(url: string, folder: string | undefined, ms: number): string {
  const where = folder === undefined ? "in memory: gone when it ends" : `in ${folder}`;
  return [
    `The app answers on ${url} after ${ms} ms, its events ${where}. Ctrl-C ends it.`,
    "For development and tests alone: one process has all of it.",
    `Every call, to read and to try: ${url}/docs`,
  ].join("\n");
}
