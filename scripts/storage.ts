// The app's storage account, for the tools that are run by hand: of the environment, or of local.settings.json.

import { randomUUID } from "node:crypto";
import type { Clock, Random } from "../src/core/clock.ts";
import type { Settings } from "../src/settings.ts";
import { parseSettings } from "../src/settings.ts";
import type { PartitionScan, TableAccount } from "../src/table/port.ts";
import { createPartitionScan, createTableAccount } from "../src/table/sdk.ts";
import { readLocalSettings } from "./local/settings.ts";

const clock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
const random: Random = { uuid: () => randomUUID(), fraction: () => Math.random() };

export interface Storage {
  readonly settings: Settings;
  readonly account: TableAccount;
  readonly scan: PartitionScan;
}

/** `folder`: of local.settings.json. */
export function openStorage(folder: string): Storage {
  const { values: local } = readLocalSettings(folder);
  // Nobody calls a tool: how callers of the app are known, local.settings.json may say for the emulator only.
  const settings = parseSettings({ ...local, ...process.env, STREAMKIT_AUTH: "key" });
  const options = { clock, random };
  return {
    settings,
    account: createTableAccount(settings.connection, options),
    scan: createPartitionScan(settings.connection, options),
  };
}
