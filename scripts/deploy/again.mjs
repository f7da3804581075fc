// `node scripts/deploy/again.mjs [--tries 10] [--seconds 60] -- COMMAND ...`: runs the command, and again after a
// minute while it is refused because roles are new. Azure takes some seconds to some minutes, now and then half an
// hour, until a role that was given holds.
//
// Promise: what fails for another reason fails at once, with the command's own exit code.
// Plain JavaScript without libraries: azd and GitHub run it before anything is installed.

import { spawn } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";

/** How Azure says that a role does not hold yet: of the deployment's storage, or of the deployment. */
const refusal =
  /\b403\b|\bForbidden\b|InaccessibleStorage|AuthorizationFailure|AuthorizationFailed|AuthorizationPermissionMismatch/i;

const { values, positionals } = parseArgs({
  options: { tries: { type: "string", default: "10" }, seconds: { type: "string", default: "60" } },
  allowPositionals: true,
});
const [command = "", ...args] = positionals;

/** Shows what the command says, and gives it back with its exit code. */
function run() {
  return new Promise((resolve, reject) => {
    // On Windows `az` and `azd` may be scripts, which only a shell starts.
    const child = spawn(command, args, { stdio: ["inherit", "pipe", "pipe"], shell: process.platform === "win32" });
    let said = "";
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from.on("data", (bytes) => {
        said += bytes;
        to.write(bytes);
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, said }));
  });
}

for (let left = Number(values.tries) - 1; ; left--) {
  const { code, said } = await run();
  process.exitCode = code;
  if (code === 0 || !refusal.test(said)) break;
  if (left <= 0) {
    console.error(
      `Still refused after ${values.tries} tries. Look at the roles of the app's identity, then run it again.`,
    );
    break;
  }
  console.error(`Refused, because a role that was just given does not hold yet: again in ${values.seconds} seconds.`);
  await setTimeout(Number(values.seconds) * 1000);
}
