// The file that the suite's own vitest runs: it registers the tests of the protocol against the app that
// CONFORMANCE_URL names.
import { runConformanceTests } from "@durable-streams/server-conformance-tests";

runConformanceTests({ baseUrl: process.env.CONFORMANCE_URL });
