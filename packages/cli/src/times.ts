// Times and counts as people write them, and as they read them.

import { UsageError } from "./failures.ts";

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `90s`, `15m`, `1h`, `7d`, `2w` in milliseconds. */
export function parseDuration(text: string): number {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  const ms = units[unit];
  if (count === undefined || ms === undefined)
    throw new UsageError(`Expected a duration such as 90s, 15m, 1h or 7d; received "${text}".`);
  return Number(count) * ms;
}

/** A date and time of ISO 8601, or how long ago: milliseconds since 1970. */
export function parseTime(text: string, now: number): number {
  if (/^\d+(\.\d+)?[smhdw]$/.test(text)) return Math.round(now - parseDuration(text));
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time))
    throw new UsageError(
      `Expected a time such as 2026-01-31T12:00:00Z, or how long ago, such as 1h; received "${text}".`,
    );
  return time;
}

/** A whole number from `least` on. */
export function parseCount(text: string, least = 1): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= least) return count;
  throw new UsageError(`Expected a whole number from ${least} on; received "${text}".`);
}

export function timeText(ms: number): string {
  return ms === 0 ? "-" : new Date(ms).toISOString().replace("T", " ").replace("Z", "");
}

export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

export function entriesText(count: number): string {
  return count === 1 ? "1 entry" : `${countText(count)} entries`;
}
