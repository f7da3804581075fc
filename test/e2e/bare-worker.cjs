// Loads a compiled app as the language worker does, with nothing that an old Node.js lacks, and prints what its
// `health` answers. Called as `node bare-worker.cjs <folder of the app>`.

const { readdirSync } = require("node:fs");
const Module = require("node:module");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

const functions = new Map();
const dispose = { dispose: () => undefined };
const core = {
  log: () => undefined,
  Disposable: class {},
  setProgrammingModel: () => undefined,
  registerFunction: ({ name }, callback) => (functions.set(name, callback), dispose),
  registerHook: () => dispose,
};
const load = Module._load;
Module._load = (request, ...rest) => (request === "@azure/functions-core" ? core : load(request, ...rest));

async function main() {
  const folder = join(process.argv[2], "dist/functions");
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".js"))) {
    await import(pathToFileURL(join(folder, file)).href);
  }
  const request = { method: "GET", url: "http://x/health", headers: new Headers(), body: null };
  const { status, body } = await functions.get("health")(request, { invocationId: "1", error: () => undefined });
  process.stdout.write(`${JSON.stringify({ status, body: JSON.parse(body) })}\n`);
}

void main();
