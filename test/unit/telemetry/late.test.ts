import { expect, test } from "vitest";
import type { Logger } from "../../../src/core/logger.ts";
import { LateTelemetry, type Listener } from "../../../src/telemetry/late.ts";
import { VirtualClock } from "../../virtual-clock.ts";
import { recordedTelemetry } from "./recorded.ts";

function world(failure?: Error) {
  const clock = new VirtualClock();
  const heard = recordedTelemetry();
  const said: string[] = [];
  const say = (message: string): void => void said.push(message);
  const logger: Logger = { debug: say, info: say, warn: say, error: say };
  const state = { loads: 0, flushes: 0 };
  const load = (): Promise<Listener> => {
    state.loads += 1;
    if (failure !== undefined) return Promise.reject(failure);
    const flush = (): Promise<void> => {
      state.flushes += 1;
      return Promise.resolve();
    };
    return Promise.resolve({ telemetry: heard, flush });
  };
  const telemetry = new LateTelemetry({ load, clock, logger, delayMs: 2_000 });
  return { clock, heard, said, state, telemetry };
}

const aSpan = { name: "GET /health", startedAt: 0, ms: 1, parent: undefined, attributes: {} };

test("nothing is loaded before the first measurement is as old as was asked for, and then once", async () => {
  const { clock, state, telemetry } = world();
  await clock.pass(60_000);
  telemetry.record("streamkit.produce.records", 1);
  telemetry.record("streamkit.produce.records", 1);
  await clock.pass(1_999);
  expect(state.loads).toBe(0);
  await clock.pass(1);
  telemetry.record("streamkit.produce.records", 1);
  await clock.pass(60_000);
  expect(state.loads).toBe(1);
});

test("a late listener hears earlier measurements first, in their order", async () => {
  const { clock, heard, telemetry } = world();
  telemetry.record("streamkit.produce.records", 1, { a: 1 });
  telemetry.trace(aSpan);
  telemetry.record("streamkit.produce.records", 2);
  await clock.pass(2_000);
  telemetry.record("streamkit.produce.records", 3);
  expect(heard.values("streamkit.produce.records")).toEqual([1, 2, 3]);
  expect(heard.attributes("streamkit.produce.records")[0]).toEqual({ a: 1 });
  expect(heard.spans).toEqual([aSpan]);
});

test("the kept measurements are bounded, and the log says that some were dropped", async () => {
  const { clock, heard, said, telemetry } = world();
  for (let n = 0; n < 5_003; n += 1) telemetry.record("streamkit.produce.records", 1);
  await clock.pass(2_000);
  expect(heard.sum("streamkit.produce.records")).toBe(5_000);
  expect(said).toEqual(["telemetry of the start was dropped"]);
});

test("when it cannot be loaded that is said once, and nothing is kept any more", async () => {
  const { clock, said, state, telemetry } = world(new Error("no such chunk"));
  telemetry.record("streamkit.produce.records", 1);
  await clock.pass(2_000);
  telemetry.record("streamkit.produce.records", 1);
  await clock.pass(60_000);
  await telemetry.flush();
  expect(said).toEqual(["telemetry is off: it cannot be loaded"]);
  expect(state).toEqual({ loads: 1, flushes: 0 });
});

test("a flush before anybody listened loads the listener, hands over, and sends; without measurements it does nothing", async () => {
  const idle = world();
  await idle.telemetry.flush();
  expect(idle.state).toEqual({ loads: 0, flushes: 0 });
  const { heard, state, telemetry } = world();
  telemetry.record("streamkit.produce.records", 1);
  await telemetry.flush();
  expect(heard.sum("streamkit.produce.records")).toBe(1);
  expect(state).toEqual({ loads: 1, flushes: 1 });
});
