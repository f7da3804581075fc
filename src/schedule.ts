// Schedules of timers: NCRONTAB expressions of six fields, as the Functions host takes them.
// Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions

/** Least and greatest value of each field: seconds, minutes, hours, days, months, days of the week. */
const fieldBounds = [
  [0, 59],
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;
const names = /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)$/i;
/** The first field that may have names. */
const months = 4;

/** Whether the host takes it: a function with a schedule that it does not take never runs. */
export function isSchedule(text: string): boolean {
  const fields = text.trim().split(/\s+/);
  return fields.length === fieldBounds.length && fields.every(isField);
}

/** `*`, values, ranges and lists of them, each with a step or none. */
function isField(field: string, at: number): boolean {
  const [least, greatest] = fieldBounds[at] ?? [0, 0];
  const isValue = (value: string): boolean =>
    /^\d{1,2}$/.test(value) ? Number(value) >= least && Number(value) <= greatest : at >= months && names.test(value);
  return field.split(",").every((part) => {
    const [range = "", step = "1", ...more] = part.split("/");
    const ends = range === "*" ? [] : range.split("-");
    return more.length === 0 && /^[1-9]\d?$/.test(step) && ends.length <= 2 && ends.every(isValue);
  });
}
