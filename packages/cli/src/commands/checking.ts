// `streamkit fsck`: the check of a store's rows against its logs, by whoever may read the storage account.

import type { Command } from "commander";
import { UsageError } from "../failures.ts";
import type { Doing } from "../program.ts";
import { print } from "../shell.ts";

export function addChecking(program: Command, doing: Doing): void {
  doing(
    program
      .command("fsck")
      .description(
        "checks what a store holds against its logs, in the storage account itself: STREAMKIT_STORAGE or AzureWebJobsStorage, of the environment or of local.settings.json; exit code 1 when something is wrong",
      )
      .option("--repair", "rebuilds what is wrong from the logs, safely beside running instances")
      .option("--offline", "with --repair: also what instances may rely on; stop all of them first"),
    async (given, _args, { repair, offline }) => {
      const { storeId: store } = await given.store();
      if (offline === true && repair !== true) throw new UsageError("--offline goes with --repair.");
      // It brings the storage's own library: loaded by those alone who check.
      const { checkStore } = await import("../../../../scripts/check-store.ts");
      const lines: string[] = [];
      given.exitCode = await checkStore({
        ...{ store, repair: repair === true, offline: offline === true, json: given.screen.json },
        folder: process.cwd(),
        print: (line) => void lines.push(line),
      });
      await print(given.shell.stdout, `${lines.join("\n")}\n`);
    },
  );
}
