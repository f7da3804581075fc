// A stream of the space that a setting names, by the Durable Streams protocol, at the path that its clients expect.
import { registerStreams } from "../src/functions-app.ts";
import { defaultStream } from "../src/server/durable-streams.ts";
import { defaultStreamPath } from "../src/wire/stream-calls.ts";

registerStreams("durableStreamDefault", defaultStreamPath, defaultStream);
