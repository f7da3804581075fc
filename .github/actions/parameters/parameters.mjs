// Takes the values of a parameter file from the variables of GitHub and puts them into the environment of the job.
//
// Promise: a variable that is not set, or empty, stays unset, so that the parameter file's own default holds; nothing
// is set that the file does not read; and values that are not those that were shown end the job.
// Plain JavaScript without libraries: it runs on whatever Node the runner has.

import { createHash, randomUUID } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const { FILE, VARIABLES, SHOWN, GITHUB_ENV, GITHUB_OUTPUT } = process.env;
const folder = dirname(FILE);
const variables = JSON.parse(VARIABLES);

/** The variables that a parameter file reads. */
function namesIn(file) {
  const read = readFileSync(file, "utf8").matchAll(/readEnvironmentVariable\(\s*'(\w+)'/g);
  return [...new Set([...read].map(([, name]) => name))];
}

const isSet = (name) => (variables[name] ?? "") !== "";
const names = namesIn(FILE).filter(isSet);
for (const name of names) {
  // A value may have several lines: they end with a word that it cannot hold.
  const end = randomUUID();
  appendFileSync(GITHUB_ENV, `${name}<<${end}\n${variables[name]}\n${end}\n`);
}
console.log(`Set: ${names.join(", ") || "nothing"}. All else has the defaults of ${FILE}.`);

const files = readdirSync(folder).filter((name) => name.endsWith(".bicepparam"));
const known = new Set(files.flatMap((name) => namesIn(join(folder, name))));
const unknown = Object.keys(variables).filter((name) => name.startsWith("STREAMKIT_") && !known.has(name));
for (const name of unknown) console.log(`::warning::No parameter file reads ${name}: is it misspelt?`);

// Marks instead of values: GitHub drops an output that holds what it takes for a secret, such as a tenant's id.
const mark = (name) => createHash("sha256").update(variables[name]).digest("hex");
const marks = Object.fromEntries(names.map((name) => [name, mark(name)]));
appendFileSync(GITHUB_OUTPUT, `marks=${JSON.stringify(marks)}\n`);

if (SHOWN !== "anything") {
  const shown = JSON.parse(SHOWN);
  const changed = [...new Set([...Object.keys(shown), ...names])].filter((name) => shown[name] !== marks[name]);
  for (const name of changed) console.log(`::error::${name} is not what it was when the changes were shown.`);
  if (changed.length > 0) process.exitCode = 1;
}
