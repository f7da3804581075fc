// Times as .NET reads them in host.json and in schedules: a TimeSpan, `[d.]hh:mm[:ss[.fffffff]]`, or days alone.

const daysPattern = /^\d{1,8}$/;
const timePattern = /^(?:(\d{1,8})[.:])??(\d{1,8}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?$/;

const dayMs = 86_400_000;

/**
 * In milliseconds; undefined when it is none, or a negative one. `5` are days, and so is `24` in `24:00:00`, which is
 * no hour.
 */
export function parseTimeSpan(text: string): number | undefined {
  const trimmed = text.trim();
  if (daysPattern.test(trimmed)) return Number(trimmed) * dayMs;
  const parts = timePattern.exec(trimmed);
  if (parts === null) return undefined;
  const [, days, first = "0", second = "0", third, fraction = "0"] = parts;
  const isDayFirst = days === undefined && Number(first) > 23 && third !== undefined && parts[5] === undefined;
  const [d, hours, minutes, seconds] = isDayFirst ? [first, second, third, "0"] : [days ?? "0", first, second, third];
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds ?? 0) > 59) return undefined;
  const whole = ((Number(d) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds ?? 0);
  return whole * 1000 + Math.floor(Number(`0.${fraction}`) * 1000);
}
