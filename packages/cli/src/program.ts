// The command line: its commands, their help, and how it ends.
//
// Promise: `run` never rejects; what it resolves with is the exit code. Everything that is said about a failure is on
// stderr.

import { Command, CommanderError } from "commander";
import { addConsuming } from "./commands/consuming.ts";
import { addCopying } from "./commands/copying.ts";
import { addLooking } from "./commands/looking.ts";
import { addChecking } from "./commands/checking.ts";
import { addManaging } from "./commands/managing.ts";
import { addServing } from "./commands/serving.ts";
import { addWriting } from "./commands/writing.ts";
import { exitCodeOf, exitCodes, sentencesOf } from "./failures.ts";
import type { ExitCode } from "./failures.ts";
import { Given } from "./given.ts";
import type { GlobalOptions } from "./given.ts";
import type { Shell } from "./shell.ts";

/** A command's work, with its arguments and its own options. */
export type Action = (
  given: Given,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
) => Promise<void>;

/** Gives a command what it does. */
export type Doing = (command: Command, action: Action) => void;

const epilogue = `
Exit codes: 0 done, 1 failed, 2 wrongly called or not confirmed, 3 another was first, 4 not allowed, 5 not available now,
6 it may or may not have happened, 130 interrupted.

Environment: STREAMKIT_URL, STREAMKIT_STORE; STREAMKIT_KEY, or STREAMKIT_TOKEN, or STREAMKIT_AUDIENCE for who is logged in
with Azure; STREAMKIT_LINK_KEY for links; NO_COLOR.`;

/** `ended` is told the exit code of the command that ran. */
export function createProgram(shell: Shell, version: string, ended: (code: ExitCode) => void): Command {
  const program = new Command("streamkit")
    .description("Reads, writes and looks after the event streams of a streamkit app.")
    .version(version)
    .option("--url <url>", "where the app is (default: STREAMKIT_URL, else http://127.0.0.1:7071)")
    .option("--store <id>", "the store, a UUID (default: STREAMKIT_STORE)")
    .option("--key <key>", "a key of the app (default: STREAMKIT_KEY)")
    .option("--json", "for scripts: lines of JSON")
    .option("--no-color", "no colours, as with NO_COLOR")
    .addHelpText("after", epilogue)
    .showHelpAfterError("(--help says how)")
    // With their arguments they would leave no room for what they do.
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .configureOutput({
      writeOut: (text) => void shell.stdout.write(text),
      writeErr: (text) => void shell.stderr.write(text),
      getOutHelpWidth: () => Math.min(shell.stdout.columns ?? 80, 100),
      getErrHelpWidth: () => Math.min(shell.stderr.columns ?? 80, 100),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  const doing: Doing = (command, action) =>
    void command.action(async () => {
      const options = command.opts();
      const given = new Given(shell, command.optsWithGlobals<GlobalOptions>());
      await action(given, command.args, options);
      ended(given.exitCode);
    });
  for (const add of [addLooking, addWriting, addConsuming, addManaging, addCopying, addChecking, addServing])
    add(program, doing);
  return program;
}

export async function run(args: readonly string[], shell: Shell, version: string): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  try {
    await createProgram(shell, version, (its) => (code = its)).parseAsync(args, { from: "user" });
    return shell.signal.aborted ? exitCodes.interrupted : code;
  } catch (error) {
    // Commander has said what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (shell.signal.aborted) return exitCodes.interrupted;
    for (const sentence of sentencesOf(error)) shell.stderr.write(`${sentence}\n`);
    return exitCodeOf(error);
  }
}
