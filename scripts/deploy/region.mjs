// `node scripts/deploy/region.mjs`: whether the region AZURE_LOCATION has the plan that the app runs on (with zones,
// where STREAMKIT_ZONE_REDUNDANT asks for them), before a deployment finds out half way, when a storage account is made
// and locked.
//
// Asks the Azure CLI. Where that cannot be asked a person is told, and an automated run fails.
// Plain JavaScript without libraries: azd and GitHub run it before anything is installed.

import { spawnSync } from "node:child_process";

const { AZURE_LOCATION, STREAMKIT_ZONE_REDUNDANT, CI } = process.env;
const zones = STREAMKIT_ZONE_REDUNDANT === "true";
const what = zones ? "Flex Consumption in several zones" : "Flex Consumption";
const plain = (region) => region.toLowerCase().replaceAll(" ", "");

function regions() {
  const asked = ["functionapp", "list-flexconsumption-locations", "--output", "json"];
  if (zones) asked.push("--zone-redundant=true");
  // On Windows `az` is a script, which only a shell starts.
  const { stdout, stderr, status, error } = spawnSync("az", asked, {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) return { why: error?.message ?? stderr.trim().split("\n")[0] };
  return {
    names: JSON.parse(stdout)
      .map(({ name }) => plain(name))
      .sort(),
  };
}

const { names, why } = regions();
if (names === undefined) {
  console.error(`Whether the region has ${what} was not checked, because the Azure CLI did not say: ${why}`);
  process.exitCode = CI === undefined ? 0 : 1;
} else if (!AZURE_LOCATION) {
  console.error("No region is chosen yet. Choose one of these with `azd env set AZURE_LOCATION <region>`, then go on:");
  console.error(names.join(" "));
  process.exitCode = 1;
} else if (!names.includes(plain(AZURE_LOCATION))) {
  console.error(`The region ${AZURE_LOCATION} has no ${what}. Nothing was made. These have it:`);
  console.error(names.join(" "));
  process.exitCode = 1;
} else {
  console.log(`The region ${AZURE_LOCATION} has ${what}.`);
}
