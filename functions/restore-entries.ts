// Writes the entries of a backup to a space.
import { registerOperation } from "../src/functions-app.ts";
import { restoreEntries } from "../src/server/restore-entries.ts";

registerOperation(restoreEntries);
