// Answers in lines of JSON, to their end.
//
// Promise: memory is bounded by a piece; a caller that leaves stops the reads; a failure on the way is a last line with
// a problem after what was read before it, never a shorter answer.

import { problemOf } from "../wire/errors.ts";
import { EntryWriter } from "../wire/entries.ts";
import type { EntryForm } from "../wire/entry-form.ts";
import { asOneLine } from "../wire/json-text.ts";
import { mediaTypes } from "../wire/operation.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import { logFailure } from "./endpoint.ts";
import type { HttpResponse } from "./http.ts";
import { nextMembers } from "./reading.ts";
import type { Reading } from "./reading.ts";
import { startedAnswer } from "./streams.ts";
import type { StreamContext } from "./streams.ts";

/** Lines as an answer. A failure before the first of them is thrown, so that it becomes a proper status. */
export async function lineAnswer(context: StreamContext, lines: AsyncIterable<Line>): Promise<HttpResponse> {
  return startedAnswer(mediaTypes.ndjson, linePieces(context, lines));
}

export interface Line {
  /** One line, or several of them. */
  readonly text: string;
  /** Leaves at once, not when a piece is full. */
  readonly urgent?: boolean;
}

/** Every entry that matches, then the place to go on from, and whether nothing more was there. */
export async function* entryLines(
  context: StreamContext,
  reading: Reading,
  limit: number,
  form: EntryForm,
): AsyncGenerator<Line, void, undefined> {
  const writer = new EntryWriter(form, true);
  // As many at once as leave together: each hand-over takes its time.
  let lines = "";
  try {
    for await (const entry of reading.read(limit, context.connection.signal)) {
      reading.advance(entry);
      lines += lines === "" ? writer.text(entry) : `\n${writer.text(entry)}`;
      if (lines.length < wireLimits.pieceCharacters) continue;
      yield { text: lines };
      lines = "";
    }
  } catch (error) {
    if (lines !== "") yield { text: lines };
    throw error;
  }
  if (lines !== "") yield { text: lines };
  yield { text: asOneLine(`{${nextMembers(reading)}}`) };
}

async function* linePieces(
  context: StreamContext,
  lines: AsyncIterable<Line>,
): AsyncGenerator<string, void, undefined> {
  const { signal } = context.connection;
  let piece = "";
  let started = false;
  const place = context.services.streams.open(context.caller);
  place.take(1);
  try {
    for await (const line of lines) {
      if (signal.aborted) return;
      piece += `${line.text}\n`;
      if (line.urgent !== true && piece.length < wireLimits.pieceCharacters) continue;
      yield piece;
      started = true;
      piece = "";
    }
    if (piece !== "") yield piece;
  } catch (error) {
    if (signal.aborted) return;
    if (!started && piece === "") throw error;
    logFailure(context.logger, "a stream failed on its way", error);
    yield `${piece}${JSON.stringify(problemOf(error, context.requestId))}\n`;
  } finally {
    place.close();
  }
}
