// What the local host prints: one line a message, filtered by category as host.json says.
// Promise: a line shows when, how grave and from where, so that it can be read beside the app's own output.

import { type LogLevel, logLevels } from "./settings.ts";

export interface HostLog {
  write(level: LogLevel, category: string, message: string): void;
}

export interface HostLogOptions {
  /** By category prefix; "default" for the others. */
  readonly levels: ReadonlyMap<string, LogLevel>;
  readonly print: (line: string) => void;
  readonly now: () => Date;
}

const shortNames: Record<LogLevel, string> = {
  trace: "trace",
  debug: "debug",
  information: "info ",
  warning: "warn ",
  error: "ERROR",
  critical: "FATAL",
  none: "",
};

export function createHostLog(options: HostLogOptions): HostLog {
  return {
    write(level, category, message) {
      if (weight(level) < weight(threshold(options.levels, category))) return;
      const time = options.now().toISOString().slice(11, 23);
      options.print(`${time} ${shortNames[level]} ${category}: ${message}`);
    },
  };
}

/** For `log` calls of the library, whose levels are plain text. */
export function parseLogLevel(text: string): LogLevel {
  const level = text.toLowerCase() as LogLevel;
  return logLevels.includes(level) ? level : "information";
}

/** An error with its stack and its causes, as one text. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\n  caused by ${describeError(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

/** The longest configured prefix of the category counts, in whole parts: `Function` covers `Function.produce`. */
function threshold(levels: ReadonlyMap<string, LogLevel>, category: string): LogLevel {
  for (let name = category; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const level = levels.get(name);
    if (level !== undefined) return level;
  }
  return levels.get("default") ?? "information";
}

function weight(level: LogLevel): number {
  return logLevels.indexOf(level);
}
