import { expect, test } from "vitest";
import { RunningWork } from "../../../src/store/work.ts";
import { all, refused } from "../../contract/given.ts";

async function* three(): AsyncGenerator<number> {
  for (const item of [1, 2, 3]) {
    await Promise.resolve();
    yield item;
  }
}

test("closing waits for what runs, refuses what is new, and may be asked for again", async () => {
  const work = new RunningWork();
  const { promise, resolve } = Promise.withResolvers<string>();
  const running = work.run(() => promise);
  const stream = work.stream(three());
  await stream.next();
  const told: string[] = [];
  const closing = [work.close(), work.close()].map((closed) => closed.then(() => told.push("closed")));
  expect(
    await refused(
      work.run(() => Promise.resolve()),
      "storage_unavailable",
    ),
  ).toMatchObject({ effect: "none" });
  await refused(work.stream(three()), "storage_unavailable");
  resolve("done");
  expect(await running).toBe("done");
  expect(told).toEqual([]);
  await stream.return();
  await Promise.all(closing);
  await work.close();
});

test("a stream that nobody has begun holds nothing up, and cannot be begun after closing", async () => {
  const work = new RunningWork();
  const stream = work.stream(three());
  await work.close();
  await refused(stream, "storage_unavailable");
});

test("work that fails has ended", async () => {
  const work = new RunningWork();
  await expect(work.run(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  await expect(all(work.stream(failing()))).rejects.toThrow("failed");
  await work.close();
});

async function* failing(): AsyncGenerator<never> {
  yield await Promise.reject(new Error("failed"));
}
