// What an application does over HTTP, on the local server: the tests of the app, as they are.

import "../on-local-server.ts";
import "../../../../test/e2e/http.test.ts";
