// The project's log, as those who write to it see it. Never given payloads, metadata or keys.
//
// Promise: a line about a store names it, as `store`, and so the `space` and the `segment`, where there is one: whoever
// opens a store or a space gives its log these fields, so that no line can forget them.

import type { SegmentName } from "./ids.ts";

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
