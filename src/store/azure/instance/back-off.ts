// How long to wait before trying again what failed: longer each time, bounded, never the same for two.

import type { Clock, Random } from "../../../core/clock.ts";
import { sleep } from "../../../core/clock.ts";

const firstMs = 40;
const longestMs = 1_000;

/** Half to all of 40 ms, 80 ms, 160 ms ... 1 s. */
export function backOff(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  failures: number,
): Promise<void> {
  return sleep(clock, Math.min(firstMs * 2 ** (failures - 1), longestMs) * (0.5 + random.fraction() / 2));
}
