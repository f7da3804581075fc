// Starts a compiled app in the local host for a test, over this run's Azurite.
// Promise: when it is handed out it answers; a process that a test forgot ends with the run.

import { inject } from "vitest";
import { startAppProcess } from "./app-process.ts";
import type { RunningApp } from "./app-process.ts";

export type { RunningApp } from "./app-process.ts";

export interface AppOptions {
  /** The storage; default: this run's Azurite. */
  readonly azurite?: string;
  /** Settings of the app; they win over local.settings.json and over the harness's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The Node.js that runs it; default: that of the tests. */
  readonly node?: string;
  /** The app's folder; default: the project's own app as it was built for this run. */
  readonly appRoot?: string;
}

let startElsewhere: ((options: AppOptions) => Promise<RunningApp>) | undefined;

/**
 * For a test file that runs another's tests on something else than the app over Azurite: what `startApp` starts in this
 * file.
 */
export function startInstead(start: (options: AppOptions) => Promise<RunningApp>): void {
  startElsewhere = start;
}

/** Rejects, with the logs, when the app does not start. */
export function startApp(options: AppOptions = {}): Promise<RunningApp> {
  if (startElsewhere !== undefined) return startElsewhere(options);
  const hostRoot = inject("appRoot");
  return startAppProcess({ azurite: inject("azurite"), appRoot: hostRoot, hostRoot, ...options });
}

/** Polls until the condition holds; rejects when it does not in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not in time: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
