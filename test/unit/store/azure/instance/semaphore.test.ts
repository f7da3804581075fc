import { expect, test } from "vitest";
import { Semaphore } from "../../../../../src/store/azure/instance/semaphore.ts";
import { VirtualClock } from "../../../../virtual-clock.ts";

function world(permits: number, besideMax: number) {
  const clock = new VirtualClock();
  let freed = 0;
  const semaphore = new Semaphore(permits, { clock, permitMs: 100, besideMax, onFree: () => (freed += 1) });
  const begun: string[] = [];
  const work = (name: string, ms: number): Promise<void> =>
    semaphore.run(() => {
      begun.push(name);
      return new Promise((resolve) => clock.after(ms, resolve));
    });
  return { clock, semaphore, begun, work, freed: () => freed };
}

test("so many run at the same time, and who waits comes in order", async () => {
  const { begun, clock, semaphore, work } = world(2, 10);
  for (const name of ["a", "b", "c", "d"]) void work(name, 10);
  await clock.pass(5);
  expect(begun).toEqual(["a", "b"]);
  expect(semaphore.waiting).toBe(2);
  await clock.pass(10);
  expect(begun).toEqual(["a", "b", "c", "d"]);
});

test("work that hangs gives its turn away, so many times", async () => {
  const { begun, clock, work } = world(1, 2);
  for (const name of ["a", "b", "c", "d"]) void work(name, 10_000);
  await clock.pass(99);
  expect(begun).toEqual(["a"]);
  await clock.pass(1);
  expect(begun).toEqual(["a", "b"]);
  await clock.pass(1_000);
  // Two go on beside; the third keeps its turn.
  expect(begun).toEqual(["a", "b", "c"]);
  await clock.pass(9_100);
  expect(begun).toEqual(["a", "b", "c", "d"]);
});

test("a turn that was given away is not given back", async () => {
  const { begun, clock, semaphore, work } = world(1, 2);
  void work("hangs", 150);
  await clock.pass(100);
  void work("a", 500);
  void work("b", 10);
  await clock.pass(60);
  expect(begun).toEqual(["hangs", "a"]);
  expect(semaphore.isFull).toBe(true);
});

test("a caller that does not wait hears when a permit may be free", async () => {
  const { clock, freed, semaphore } = world(1, 2);
  const leave = semaphore.tryEnter();
  expect(leave).toBeDefined();
  expect(semaphore.tryEnter()).toBeUndefined();
  await clock.pass(100);
  expect(freed()).toBe(1);
  const second = semaphore.tryEnter();
  expect(second).toBeDefined();
  leave?.();
  expect(semaphore.tryEnter()).toBeUndefined();
  second?.();
  expect(semaphore.tryEnter()).toBeDefined();
});
