// The Durable Streams reference server on local files, in a process of its own: tells where it listens, and stays.

import { DurableStreamTestServer } from "@durable-streams/server";

const [dataDir] = process.argv.slice(2);
if (dataDir === undefined) throw new Error("Give the folder of its files.");
const server = new DurableStreamTestServer({ port: 0, host: "127.0.0.1", dataDir });
process.send?.(await server.start());
