// A process that this one starts and is responsible for.
// Promise: `stop` returns when it is gone, and so is what it started; it gets no Ctrl-C of the terminal, so that the
// order of the shutdown is ours; and when this process dies without a word, a child that keeps the channel open
// notices.

import { type ChildProcess, spawn, spawnSync, type StdioOptions } from "node:child_process";

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** `shown`: it writes to our terminal; `kept`: the end of what it writes can be asked for. */
  readonly output: "shown" | "kept";
  /** `none` for a program that is not ours. Default `ipc`: messages, and how it notices our end. */
  readonly channel?: "ipc" | "none";
  /** Whether a shell reads the command. Default false. */
  readonly shell?: boolean;
}

// Enough to tell why something did not start.
const outputCharsMax = 256 * 1024;

export class Child {
  readonly process: ChildProcess;
  /** Its exit code, or the signal that ended it, or why it never ran. */
  readonly exited: Promise<number | string>;
  #output = "";
  #running = true;

  constructor(options: ChildOptions) {
    const { command, args, env = process.env, cwd = process.cwd(), output, channel = "ipc", shell = false } = options;
    const streams = output === "shown" ? "inherit" : "pipe";
    const stdio: StdioOptions = ["ignore", streams, streams, ...(channel === "ipc" ? ["ipc" as const] : [])];
    this.process = spawn(command, args, { env, cwd, stdio, shell, detached: process.platform !== "win32" });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-outputCharsMax);
      });
    }
    const exited = Promise.withResolvers<number | string>();
    this.exited = exited.promise;
    const end = (how: number | string): void => {
      this.#running = false;
      exited.resolve(how);
    };
    this.process.once("error", (error) => end(error.message));
    // Not `exit`: what it wrote last should be there.
    this.process.once("close", (code, signal) => end(code ?? signal ?? "unknown"));
  }

  get running(): boolean {
    return this.#running;
  }

  /** The end of what it wrote, when it is kept. */
  get output(): string {
    return this.#output;
  }

  /** Asks by the signal, and after `graceMs` insists. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 10_000): Promise<void> {
    if (!this.#running) return;
    this.#kill(signal);
    const insist = setTimeout(() => this.#kill("SIGKILL"), graceMs);
    await this.exited;
    clearTimeout(insist);
  }

  /** The whole group: a tool may have started processes of its own. */
  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.process;
    if (pid === undefined) return;
    try {
      // There are no groups there, nor signals that could be listened to.
      if (process.platform === "win32") spawnSync("taskkill", ["/pid", `${pid}`, "/T", "/F"], { stdio: "ignore" });
      else process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
