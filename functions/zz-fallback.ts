// Answers what no other function takes. Its name must sort last.
import { registerFallback } from "../src/functions-app.ts";
import { fallback } from "../src/server/fallback.ts";

registerFallback(fallback);
