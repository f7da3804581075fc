// The client library, on the local server: the tests of the app, as they are.

import "../on-local-server.ts";
import "../../../client/test/first-calls.test.ts";
