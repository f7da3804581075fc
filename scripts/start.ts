// `npm start`: builds, then runs what was built (scripts/local/start.ts), in this very process.
// Promise: Ctrl-C ends it with 0 at any moment. For that package.json says `exec`: a shell in between would die of the
// Ctrl-C by itself and have npm report that; the second half of the line is for shells that have no `exec`.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { stop } from "esbuild";
import { buildFunctions, buildLocalHost, summary } from "./build.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");

const quit = (): void => process.exit(0);
process.on("SIGINT", quit).on("SIGTERM", quit);
const [app] = await Promise.all([buildFunctions(root, dist), buildLocalHost(root, dist)]);
console.log(summary(app));
// Its process would stay beside us for as long as the app runs.
await stop();
// These listeners stay until there are others: what is imported takes over from them.
await import(pathToFileURL(join(dist, "local/start.js")).href);
