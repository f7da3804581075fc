// This machine's time and chance, for tests against real services.

export { systemClock, systemRandom } from "../src/system.ts";
