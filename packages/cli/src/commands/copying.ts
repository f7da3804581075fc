// `streamkit export` and `streamkit import`: a backup is one command, a restore another.

import type { Command } from "commander";
import { exportTo } from "../export.ts";
import type { Given } from "../given.ts";
import { checkBackup, importFrom } from "../import.ts";
import type { Doing } from "../program.ts";
import { entriesText } from "../times.ts";

export function addCopying(program: Command, doing: Doing): void {
  doing(
    program
      .command("export")
      .description("writes a backup of the store, of a space or of a segment; run again, it goes on where it ended")
      .argument("[space]")
      .argument("[segment]")
      .requiredOption("--output <path>", "the file"),
    async (given, [space, segment], { output }) => {
      const store = await given.store();
      const path = String(output);
      const scope = { store: store.storeId, space, segment };
      const progress = given.screen.progress("exported", undefined);
      const work = exportTo({
        store,
        scope,
        path,
        abortSignal: given.shell.signal,
        onEntries: (count) => progress.add(count),
      });
      const { entries, resumed, digest } = await work.finally(() => progress.stop());
      if (given.screen.json) await given.screen.fields({ path, entries, resumed, digest });
      else await given.screen.say(`${path} has ${entriesText(entries)}, complete. SHA-256 ${digest}`);
    },
  );

  doing(
    program
      .command("import")
      .description("writes the entries of a backup to an empty store, and reads them back to verify it")
      .argument("<path>")
      .option("--resume", "goes on with an import that was interrupted"),
    importFile,
  );
}

async function importFile(
  given: Given,
  [path = ""]: readonly string[],
  { resume }: Readonly<Record<string, unknown>>,
): Promise<void> {
  const store = await given.store();
  const backup = await checkBackup(path);
  const { entries: total } = backup.digests;
  const written = given.screen.progress("imported", total);
  let verified: ReturnType<typeof given.screen.progress> | undefined;
  const options = {
    ...{ store, path, resume: resume === true, abortSignal: given.shell.signal },
    onEntries: (count: number) => written.add(count),
    onVerified: (count: number) => {
      written.stop();
      (verified ??= given.screen.progress("verified", total)).add(count);
    },
  };
  const work = importFrom(options, backup).finally(() => (verified ?? written).stop());
  const { entries, resumed, contentDigest } = await work;
  if (given.screen.json) await given.screen.fields({ entries, resumed, contentDigest });
  else await given.screen.say(`The store holds what ${path} does, ${entriesText(entries)}: read back and equal.`);
}
