// Where the command line runs: a terminal or a script's pipes, its environment, and the signal that ends it.

import { createInterface } from "node:readline/promises";

export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts with Ctrl-C. */
  readonly signal: AbortSignal;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
  readonly stdout: Output;
  readonly stderr: Output;
}

export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): boolean;
  once(event: "drain" | "close", listener: () => void): unknown;
}

/** Resolves when the reader of our output keeps up. */
export async function print(output: Output, text: string): Promise<void> {
  if (output.write(text)) return;
  await new Promise<void>((resolve) => {
    output.once("drain", resolve);
    output.once("close", resolve);
  });
}

/** A person's answer; undefined if there is nobody to ask. */
export async function ask(shell: Shell, question: string): Promise<string | undefined> {
  if (shell.stdin.isTTY !== true || shell.stderr.isTTY !== true) return undefined;
  const asked = createInterface({ input: shell.stdin, output: process.stderr });
  try {
    return await asked.question(question, { signal: shell.signal });
  } finally {
    asked.close();
  }
}
