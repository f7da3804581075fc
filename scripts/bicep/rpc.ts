// Asks one Bicep compiler many questions, by its JSON-RPC over standard input and output: a process of its own for each
// takes seconds.
//
// Promise: every question is answered or rejected, also when the compiler ends.

import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Diagnostic {
  readonly source: string;
  readonly range: { readonly start: { readonly line: number; readonly char: number } };
  readonly level: string;
  readonly code: string;
  readonly message: string;
}

/** What is known of the deployment that is evaluated. */
export interface Place {
  readonly tenantId: string;
  readonly subscriptionId: string;
  readonly location: string;
  readonly deploymentName: string;
}

/** The questions, as the compiler calls them: what each takes and gives. */
interface Questions {
  "bicep/compile": [{ path: string }, { diagnostics: readonly Diagnostic[] }];
  "bicep/compileParams": [
    { path: string; parameterOverrides: Readonly<Record<string, never>> },
    { diagnostics: readonly Diagnostic[] },
  ];
  "bicep/format": [{ path: string }, { contents: string }];
  "bicep/getFileReferences": [{ path: string }, { filePaths: readonly string[] }];
  "bicep/getSnapshot": [{ path: string; metadata: Place; externalInputs: readonly never[] }, { snapshot: string }];
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const headEnd = "\r\n\r\n";

export class BicepServer {
  readonly #waiting = new Map<number, Waiting>();
  readonly #process;
  #received: Buffer = Buffer.alloc(0);
  #asked = 0;

  constructor(path: string, env: NodeJS.ProcessEnv) {
    this.#process = spawn(path, ["jsonrpc", "--stdio"], { env, stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdout.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#process.stdin.on("error", (error) => this.#fail(error));
    this.#process.on("error", (error) => this.#fail(error));
    this.#process.on("exit", (code) => this.#fail(new Error(`The Bicep compiler ended with ${code ?? "a signal"}.`)));
  }

  async ask<Q extends keyof Questions>(method: Q, params: Questions[Q][0]): Promise<Questions[Q][1]> {
    this.#asked += 1;
    const id = this.#asked;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(body)}${headEnd}${body}`);
    return (await answer) as Questions[Q][1];
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill();
    await ended;
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const head = this.#received.indexOf(headEnd);
      if (head < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.#received.toString("latin1", 0, head))?.[1]);
      const end = head + headEnd.length + length;
      if (this.#received.length < end) return;
      const answer = JSON.parse(this.#received.toString("utf8", head + headEnd.length, end)) as Answer;
      this.#received = this.#received.subarray(end);
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.result);
      else waiting?.reject(new Error(answer.error.message));
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
