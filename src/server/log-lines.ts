// The project's logger: one JSON object a line. Levels below the chosen one cost nothing.

import type { Clock } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { LogFields, Logger } from "../core/logger.ts";

export const logLevels = ["debug", "info", "warn", "error", "off"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogLinesOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly write: (line: string) => void;
}

export function createLogger(options: LogLinesOptions): Logger {
  const least = logLevels.indexOf(options.level);
  const at = (level: LogLevel) => {
    if (logLevels.indexOf(level) < least) return () => undefined;
    return (message: string, fields: LogFields = {}): void => {
      const time = new Date(options.clock.now()).toISOString();
      options.write(`${lineOf({ time, level, message, ...fields })}\n`);
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A line that cannot be written must not fail what it reports. */
function lineOf(fields: LogFields): string {
  try {
    return JSON.stringify(fields, showErrors);
  } catch {
    const { time, level, message } = fields;
    return JSON.stringify({ time, level, message, note: "The fields of this line cannot be shown." });
  }
}

function showErrors(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  const code = value instanceof StoreError ? { code: value.code } : {};
  return { name, ...code, message, stack, ...(cause === undefined ? {} : { cause }) };
}
