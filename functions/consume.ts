// Reads several spaces, merged by timestamp.
import { registerOperation } from "../src/functions-app.ts";
import { consume } from "../src/server/consume.ts";

registerOperation(consume);
