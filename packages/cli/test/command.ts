// Runs the command line in this process, with what it writes kept.

import { PassThrough, Readable } from "node:stream";
import { run } from "../src/program.ts";
import type { ExitCode } from "../src/failures.ts";

export interface Ran {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  /** As on a terminal of 80 columns. */
  readonly terminal?: boolean;
  /** Is told what stdout gets, as it comes. */
  readonly onOutput?: (text: string) => void;
}

export async function command(args: readonly string[], options: CommandOptions = {}): Promise<Ran> {
  const { env = {}, stdin = "", signal = new AbortController().signal, terminal = false, onOutput } = options;
  const written = { stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr") => {
    const stream = new PassThrough();
    stream.setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
      if (name === "stdout") onOutput?.(text);
    });
    return Object.assign(stream, { isTTY: terminal, columns: 80 });
  };
  const [stdout, stderr] = [output("stdout"), output("stderr")];
  const input = Object.assign(Readable.from(stdin === "" ? [] : [stdin]), { isTTY: terminal });
  const shell = { env, signal, stdin: input, stdout, stderr };
  const code = await run(args, shell, "0.0.0");
  return { code, ...written };
}
