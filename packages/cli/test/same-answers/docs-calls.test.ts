// The calls of the documents, on the local server: the tests of the app, as they are.

import "../on-local-server.ts";
import "../../../../test/e2e/docs-calls.test.ts";
