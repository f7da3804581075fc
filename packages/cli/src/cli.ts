#!/usr/bin/env node
// The program `streamkit`.
// Promise: Ctrl-C ends what runs in good order; a second one at once.

import { readFileSync } from "node:fs";
import { run } from "./program.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
  });
// A reader of the output may have seen enough: `streamkit read ... | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const { env, stdin, stdout, stderr } = process;
process.exitCode = await run(
  process.argv.slice(2),
  { env, stdin, stdout, stderr, signal: interrupted.signal },
  version,
);
