// A stream of any space, by the Durable Streams protocol.
import { registerStreams } from "../src/functions-app.ts";
import { durableStream } from "../src/server/durable-streams.ts";
import { streamPath } from "../src/wire/stream-calls.ts";

registerStreams("durableStream", streamPath, durableStream);
