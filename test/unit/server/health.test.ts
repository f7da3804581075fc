import manifest from "../../../package.json" with { type: "json" };
import { afterEach, expect, test } from "vitest";
import { StoreError } from "../../../src/core/errors.ts";
import { openService, type Service } from "./in-process.ts";

/** The only place where it is written. */
const { version } = manifest;
let service: Service;
let probes = 0;
afterEach(() => service.dispose());

async function open(probe: () => Promise<void>): Promise<void> {
  probes = 0;
  const counted = (): Promise<void> => {
    probes += 1;
    return probe();
  };
  service = await openService({ probe: counted });
}

test("plain health asks nothing of the storage", async () => {
  await open(() => Promise.reject(new StoreError("storage_unavailable", "It is down.")));
  expect((await service.call("GET", "/health")).json).toEqual({ status: "ok", version });
  expect((await service.call("GET", "/health?deep=false")).json).toEqual({ status: "ok", version });
  expect(probes).toBe(0);
});

test("deep health tells how long the storage took", async () => {
  await open(() => new Promise((resolve) => setTimeout(resolve, 20)));
  const { status, json } = await service.call("GET", "/health?deep=true");
  expect(status).toBe(200);
  const { ms, ...rest } = json as unknown as { ms: number };
  expect(rest).toEqual({ status: "ok", version, storage: "ok" });
  expect(ms).toBeGreaterThanOrEqual(19);
  expect(probes).toBe(1);
});

test.each(["throttled", "storage_unavailable", "internal"] as const)(
  "deep health answers 503 with the reason when the storage fails: %s",
  async (code) => {
    await open(() => Promise.reject(new StoreError(code, "The storage asks for fewer requests.")));
    const { status, headers, json } = await service.call("GET", "/health?deep=true");
    expect(status).toBe(503);
    expect(headers["content-type"]).toBe("application/problem+json");
    expect(headers["retry-after"]).toMatch(/^[0-9]+$/);
    expect(json).toMatchObject({
      code: "storage_unavailable",
      reason: code,
      detail: "The storage asks for fewer requests.",
      ms: expect.any(Number) as number,
    });
  },
);
