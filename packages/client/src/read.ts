// Reads what there is, to its end.
//
// Promise: every entry once and in order, also when connections break on the way; who leaves early ends the request;
// what is not taken is not sent.

import type { Codec } from "./codecs.ts";
import { entryOf } from "./entries.ts";
import type { Entry, EntryJson } from "./entries.ts";
import { errorOfProblem, isProblem, isStreamkitError, StreamkitError } from "./errors.ts";
import { linesOf, piecesOf } from "./lines.ts";
import type { OperationOptions } from "./options.ts";
import type { Reading } from "./reading.ts";
import { pause } from "./timing.ts";
import { isRepeated, waitMs } from "./transport.ts";
import type { Transport } from "./transport.ts";

export interface Page<T> {
  readonly entries: readonly Entry<T>[];
  /** Goes on after this page, at any time later. */
  readonly continuationToken: string;
}

export interface PageSettings {
  /** Of an earlier page. */
  readonly continuationToken?: string | undefined;
  /** At most so many entries a page, up to 10,000. Default 1,000. */
  readonly maxPageSize?: number | undefined;
}

/** One by one with `for await`, or page by page. */
export interface PagedEntries<T> extends AsyncIterable<Entry<T>> {
  byPage(settings?: PageSettings): AsyncIterable<Page<T>>;
}

/** `open` begins anew: what is given can be iterated more than once. */
export function pagedEntries<T>(
  transport: Transport,
  open: () => Reading,
  codec: Codec<T>,
  options: OperationOptions,
): PagedEntries<T> {
  return {
    [Symbol.asyncIterator]: () => entriesOf(transport, open(), codec, options),
    byPage: (settings = {}) => pagesOf(transport, open(), codec, options, settings),
  };
}

async function* entriesOf<T>(
  transport: Transport,
  reading: Reading,
  codec: Codec<T>,
  options: OperationOptions,
): AsyncGenerator<Entry<T>, void, undefined> {
  const { abortSignal: signal } = options;
  let failures = 0;
  let failingSince = 0;
  while (!reading.isOver()) {
    try {
      for await (const line of answerLines(transport, reading, options)) {
        if (isNext(line)) return;
        if (isProblem(line)) throw errorOfProblem(line, {}, false);
        const entry = entryOf(line as EntryJson, codec);
        reading.passed(entry);
        failures = 0;
        yield entry;
        signal?.throwIfAborted();
      }
      throw new StreamkitError("connection_failed", "The answer broke off.", { retryable: true });
    } catch (failure) {
      signal?.throwIfAborted();
      if (!isStreamkitError(failure) || !isRepeated(failure)) throw failure;
      if (failures === 0) failingSince = performance.now();
      failures += 1;
      const wait = waitMs(failure, transport.backOff, failures);
      if (performance.now() + wait - failingSince >= transport.backOff.deadlineMs) throw failure;
      await pause(wait, signal);
    }
  }
}

/** The lines of one answer, parsed; whatever breaks it is an error of this package. */
async function* answerLines(
  transport: Transport,
  reading: Reading,
  options: OperationOptions,
): AsyncGenerator<unknown, void, undefined> {
  const { response, close } = await transport.open(reading.call("application/x-ndjson"), options);
  try {
    if (response.body === null) return;
    for await (const line of linesOf(piecesOf(response.body))) yield parsed(line);
  } finally {
    close();
  }
}

/** What stands in a stream is JSON, unless something between the service and here has put in what is not. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new StreamkitError("unexpected_answer", "The stream holds what is not JSON.", { cause });
  }
}

function isNext(line: unknown): line is { readonly next: unknown } {
  return typeof line === "object" && line !== null && "next" in line;
}

interface PageJson {
  readonly entries: readonly EntryJson[];
  readonly next: unknown;
  readonly end?: true;
}

async function* pagesOf<T>(
  transport: Transport,
  reading: Reading,
  codec: Codec<T>,
  options: OperationOptions,
  { continuationToken, maxPageSize }: PageSettings,
): AsyncGenerator<Page<T>, void, undefined> {
  if (continuationToken !== undefined) reading.goTo(JSON.parse(continuationToken));
  while (!reading.isOver()) {
    const page = (await transport.json(reading.call("application/json", maxPageSize), options)) as PageJson;
    const entries = page.entries.map((entry) => entryOf(entry, codec));
    for (const entry of entries) reading.passed(entry);
    reading.goTo(page.next);
    yield { entries, continuationToken: JSON.stringify(page.next) };
    if (page.end === true) return;
  }
}
