// Keys and tokens, on the local server: the tests of the app, as they are.

import "../on-local-server.ts";
import "../../../../test/e2e/access.test.ts";
