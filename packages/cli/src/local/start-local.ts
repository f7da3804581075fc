// The same app on this machine's memory, or in a folder of it: for development and for tests, and for nothing else.
//
// Promise: each server is a thread of its own, with its own copy of the app and its own storage, and gone when it is
// stopped. Its thread neither keeps a process alive that has ended its work, nor sees the clocks and environment that a
// test replaces in its own.

import { Worker } from "node:worker_threads";

export interface LocalOptions {
  /** Default: any free one. */
  readonly port?: number | undefined;
  /** Where events are kept from one start to the next. Default: in memory, gone with the server. */
  readonly folder?: string | undefined;
  /**
   * The settings of the app, by their names: `{ STREAMKIT_AUTH: "key" }`. Default: nobody is asked who they are, and
   * everybody may manage.
   */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** With `STREAMKIT_AUTH: "key"`: the one key that every call has to show. */
  readonly key?: string | undefined;
  /** Is told each line of the log. Default: nobody is. */
  readonly log?: ((line: string) => void) | undefined;
}

export interface LocalServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Resolves when it is gone: undefined when it was stopped, else why it broke. */
  readonly ended: Promise<Error | undefined>;
  /** Ends what runs, and the server. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The thread's input. */
export interface LocalOrder {
  readonly port: number;
  readonly folder: string | undefined;
}

/** The thread's messages. */
export type LocalNews =
  | { readonly kind: "ready"; readonly url: string }
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "refused"; readonly reason: string };

/** `program`: where the build put worker.ts. Rejects with a sentence that says why when it cannot start. */
export async function startServer(program: URL, options: LocalOptions): Promise<LocalServer> {
  const { port = 0, folder, settings, key, log = () => undefined } = options;
  const order: LocalOrder = { port, folder };
  const worker = new Worker(program, {
    workerData: order,
    // Nothing of the environment: what a server answers does not depend on who starts it.
    env: { ...defaults, ...(key === undefined ? {} : keyed(key)), ...settings },
    stdout: true,
    stderr: true,
    execArgv: [],
  });
  for (const stream of [worker.stdout, worker.stderr]) tellLines(stream, log);
  const ready = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<Error | undefined>();
  let broke: Error | undefined;
  const fail = (error: Error): void => {
    broke = error;
    ready.reject(error);
  };
  worker.on("message", (news: LocalNews) => {
    if (news.kind === "ready") ready.resolve(news.url);
    else if (news.kind === "line") log(news.text);
    else fail(new Error(news.reason));
  });
  worker.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.once("exit", () => {
    ready.reject(new Error("The local server ended before it was ready."));
    ended.resolve(broke);
  });
  const url = await ready.promise;
  worker.unref();
  const stop = async (): Promise<void> => {
    worker.ref();
    worker.postMessage("stop");
    await ended.promise;
  };
  return { url, ended: ended.promise, stop, [Symbol.asyncDispose]: stop };
}

const defaults = {
  // Without an account the server uses the emulator's name, under which the app lets webhooks go to this machine.
  AzureWebJobsStorage: "UseDevelopmentStorage=true",
  AZURE_FUNCTIONS_ENVIRONMENT: "Development",
  STREAMKIT_AUTH: "none",
  STREAMKIT_MANAGE: "true",
};

function keyed(key: string): Readonly<Record<string, string>> {
  return { STREAMKIT_AUTH: "key", STREAMKIT_LOCAL_KEYS: JSON.stringify({ master: key }) };
}

function tellLines(stream: NodeJS.ReadableStream, log: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) log(line);
  });
}
