// Loaded into the app's process ahead of it (`--import`): the first SIGUSR2 begins a profile, the next one ends it and
// writes it to the file that PROFILE_FILE names. So what is seen is the load alone, not the start.

import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";

const file = process.env["PROFILE_FILE"];
let session: Session | undefined;

async function toggle(): Promise<void> {
  if (session === undefined) {
    session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    return;
  }
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  session = undefined;
  if (file === undefined) return;
  // Whoever waits for the file finds all of it.
  writeFileSync(`${file}.part`, JSON.stringify(profile));
  renameSync(`${file}.part`, file);
}

process.on("SIGUSR2", () => void toggle());
