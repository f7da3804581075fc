// What azd and GitHub run around a deployment, with programs of a few lines in the place of `az` and `azd`.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const bin = mkdtempSync(join(tmpdir(), "streamkit-deploy-"));
const counted = join(bin, "runs");
afterAll(() => rmSync(bin, { recursive: true }));

/** Puts a program on the path, which counts its runs. */
function program(name: string, script: string): void {
  writeFileSync(counted, "");
  const count = `const { appendFileSync, readFileSync } = require("node:fs"); appendFileSync(${JSON.stringify(counted)}, "1");
    const runs = readFileSync(${JSON.stringify(counted)}, "utf8").length;`;
  writeFileSync(join(bin, name), `#!${process.execPath}\n${count}\n${script}`);
  chmodSync(join(bin, name), 0o755);
}

function run(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const path = join(import.meta.dirname, "../../../scripts/deploy", script);
  const { stdout, stderr, status } = spawnSync(process.execPath, [path, ...args], {
    encoding: "utf8",
    env: { PATH: bin, ...env },
  });
  return { stdout, stderr, status };
}

describe("a deployment", () => {
  const deploy = (tries = 4) =>
    run("again.mjs", ["--tries", String(tries), "--seconds", "0", "--", "azd", "deploy", "api"]);
  const runs = (): number => readFileSync(counted, "utf8").length;

  test("that is refused because a role does not hold yet is tried again, and what it says is shown", () => {
    program(
      "azd",
      `if (runs < 3) { console.error("ERROR: 403 InaccessibleStorageException"); process.exitCode = 1; }
      else console.log("deployed", process.argv.slice(2).join(" "));`,
    );
    const { stdout, stderr, status } = deploy();
    expect({ status, runs: runs(), stdout }).toEqual({ status: 0, runs: 3, stdout: "deployed deploy api\n" });
    expect(stderr.match(/InaccessibleStorageException/g)?.length).toBe(2);
    expect(stderr).toContain("a role that was just given does not hold yet: again in 0 seconds");
  });

  test("that fails for another reason fails at once, with its own code", () => {
    program("azd", `console.error("ERROR: no such service"); process.exitCode = 7;`);
    expect(deploy().status).toBe(7);
    expect(runs()).toBe(1);
  });

  test("that stays refused ends after its tries, and says where to look", () => {
    program("azd", `console.error("Status: 403 Forbidden"); process.exitCode = 1;`);
    const { stderr, status } = deploy(2);
    expect({ status, runs: runs() }).toEqual({ status: 1, runs: 2 });
    expect(stderr).toContain("Still refused after 2 tries. Look at the roles of the app's identity");
  });

  test("that succeeds is not repeated, whatever it says", () => {
    program("azd", `console.log("403 files");`);
    expect(deploy().status).toBe(0);
    expect(runs()).toBe(1);
  });
});

describe("a region", () => {
  const list = `const zones = process.argv.includes("--zone-redundant=true");
    if (process.argv[3] !== "list-flexconsumption-locations") throw new Error("not asked");
    console.log(JSON.stringify([{ name: "westeurope" }, ...(zones ? [] : [{ name: "North Europe" }])]));`;
  const ask = (env: Readonly<Record<string, string>>) => run("region.mjs", [], env);

  test("that has the plan is taken, however its name is written", () => {
    program("az", list);
    for (const AZURE_LOCATION of ["westeurope", "North Europe", "northeurope"]) {
      expect(ask({ AZURE_LOCATION }), AZURE_LOCATION).toMatchObject({ status: 0, stderr: "" });
    }
  });

  test("that has not is refused, and those that have are named", () => {
    program("az", list);
    expect(ask({ AZURE_LOCATION: "nowhere" })).toMatchObject({
      status: 1,
      stderr: "The region nowhere has no Flex Consumption. Nothing was made. These have it:\nnortheurope westeurope\n",
    });
  });

  test("without zones is refused where zones are asked for", () => {
    program("az", list);
    const zones = { STREAMKIT_ZONE_REDUNDANT: "true" };
    expect(ask({ AZURE_LOCATION: "westeurope", ...zones }).status).toBe(0);
    const { stderr, status } = ask({ AZURE_LOCATION: "northeurope", ...zones });
    expect(status).toBe(1);
    expect(stderr).toContain("The region northeurope has no Flex Consumption in several zones");
  });

  test("that is not chosen yet is asked for, among those that have the plan", () => {
    program("az", list);
    const { stderr, status } = ask({});
    expect(status).toBe(1);
    expect(stderr).toContain("azd env set AZURE_LOCATION <region>");
    expect(stderr).toContain("northeurope westeurope");
  });

  test("of which the Azure CLI says nothing is not checked: a person is told, an automated run fails", () => {
    program("az", `console.error("Please run 'az login'"); process.exitCode = 1;`);
    const AZURE_LOCATION = "westeurope";
    expect(ask({ AZURE_LOCATION })).toMatchObject({
      status: 0,
      stderr:
        "Whether the region has Flex Consumption was not checked, because the Azure CLI did not say: Please run 'az login'\n",
    });
    expect(ask({ AZURE_LOCATION, CI: "true" }).status).toBe(1);
    rmSync(join(bin, "az"));
    expect(ask({ AZURE_LOCATION })).toMatchObject({ status: 0, stderr: expect.stringContaining("ENOENT") as string });
  });
});
