// The storage of `npm start`: whether the settings mean the emulator, and whose it is.
// Promise: an emulator that listens already is used as it is, one that is started is handed over before it is ready,
// and the line that is printed says with whom it ends.

import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { startAzurite, type EmulatorPorts } from "./azurite.ts";
import type { Child } from "./child.ts";
import { Refusal } from "./refusal.ts";
import type { Environment } from "./settings.ts";

/** Whether the app that has these settings looks for its storage where the emulator usually is. */
export function needsEmulator(env: Environment, local: Environment): boolean {
  const given = Object.entries(env).filter(([, value]) => value !== "");
  const settings: Environment = { ...local, ...Object.fromEntries(given) };
  for (const name of ["STREAMKIT_STORAGE", "AzureWebJobsStorage"]) {
    const forms = Object.keys(settings).filter((key) => key === name || key.startsWith(`${name}__`));
    if (forms.length > 0) return forms.length === 1 && settings[name]?.trim() === "UseDevelopmentStorage=true";
  }
  return false;
}

export interface EmulatorOptions {
  /** The folder of its data. */
  readonly location: string;
  readonly ports: EmulatorPorts;
  /** Told of the process before it is ready, so that it can be stopped. */
  readonly begun: (child: Child) => void;
  readonly print: (line: string) => void;
}

/** Another `npm start` that was faster has its emulator ready by then. */
const otherReadyWithinMs = 15_000;

/** Resolves when storage answers: with the emulator's process when it is ours. */
export async function provideEmulator(options: EmulatorOptions): Promise<Child | undefined> {
  const { location, ports, begun, print } = options;
  const { blob, queue, table } = ports;
  const listensAlready = async (): Promise<boolean> => (await listens(queue)) && (await listens(table));
  const theirs = `the emulator that listens on ports ${queue} and ${table}, until whoever started it ends it.`;
  if (await listensAlready()) {
    print(`Storage: ${theirs}`);
    return undefined;
  }
  for (const port of [blob, queue, table]) {
    if (await listens(port)) throw new Refusal(`Port ${port}, which Azurite needs, is in use by something else.`);
  }
  mkdirSync(location, { recursive: true });
  const azurite = startAzurite({ location, ports });
  begun(azurite.child);
  try {
    await azurite.ready;
  } catch (error) {
    if (!(await inTime(listensAlready))) throw error;
    print(`Storage: another npm start was a moment faster: ${theirs}`);
    return undefined;
  }
  print(`Storage: Azurite, with its data in ${location}, until this npm start ends: also for others that use it.`);
  return azurite.child;
}

async function inTime(condition: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + otherReadyWithinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await delay(100);
  }
  return true;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}
