// The logger, as those who write to it see it, and its lines as JSON. It is never given payloads, metadata or keys.
//
// Promise: a line about a store names it, as `store`, and so the `space` and the `segment`, where there is one: whoever
// opens a store or a space gives its log these fields, so that no line can forget them.

import type { SegmentName } from "./ids.ts";
import type { Clock } from "./clock.ts";
import { StoreError } from "./errors.ts";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** How many segments a log line names: a record may have eighty. */
const segmentsNamedMax = 8;

/** The same logger, with these fields in every line. */
export function withFields(logger: Logger, common: LogFields): Logger {
  return {
    debug: (message, fields) => logger.debug(message, { ...common, ...fields }),
    info: (message, fields) => logger.info(message, { ...common, ...fields }),
    warn: (message, fields) => logger.warn(message, { ...common, ...fields }),
    error: (message, fields) => logger.error(message, { ...common, ...fields }),
  };
}

/** The segment that a line is about; of several the first, and how many there are. */
export function segmentFields(segments: Iterable<SegmentName>): LogFields {
  const names = [...new Set(segments)];
  if (names.length < 2) return names.length === 0 ? {} : { segment: names[0] };
  return { segments: names.slice(0, segmentsNamedMax), segmentCount: names.length };
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const logLevels = ["debug", "info", "warn", "error", "off"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogLinesOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly write: (line: string) => void;
}

/** One JSON object a line. Levels below the chosen one cost nothing. */
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
