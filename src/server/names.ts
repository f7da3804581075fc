// The names of spaces and segments: a page, or all as lines.

import { invalidArgument } from "../core/errors.ts";
import { mediaTypes } from "../wire/media.ts";
import { segments as segmentsOperation, spaces as spacesOperation } from "../wire/operations.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { NamesOptions } from "../store/store.ts";
import type { HttpAnswer } from "./http.ts";
import { jsonAnswer, serve } from "./serve.ts";
import { lineAnswer } from "./streams.ts";
import type { Line, StreamContext } from "./streams.ts";

export const spaces = serve(spacesOperation, (services, call) => {
  const store = services.stores.open(call.params.store);
  return answerNames({ ...call, services }, "spaces", (options) => store.getSpaces(options), call);
});

export const segments = serve(segmentsOperation, (services, call) => {
  const store = services.stores.open(call.params.store);
  const { space } = call.params;
  return answerNames({ ...call, services }, "segments", (options) => store.getSegments(space, options), call);
});

interface Wanted {
  readonly accept: "application/json" | "application/x-ndjson";
  readonly query: { readonly limit?: number | undefined; readonly next?: string | undefined };
}

async function answerNames(
  context: StreamContext,
  what: "spaces" | "segments",
  names: (options: NamesOptions) => AsyncIterable<string>,
  wanted: Wanted,
): Promise<HttpAnswer> {
  const { gone } = context.connection;
  const place = wanted.query.next === undefined ? {} : { after: decodeNext(wanted.query.next) };
  const { limit = 0 } = wanted.query;
  if (wanted.accept === mediaTypes.ndjson) {
    return lineAnswer(context, nameLines(names({ ...place, limit, signal: gone })));
  }
  const most = limit === 0 ? wireLimits.pageNamesDefault : limit;
  const page: string[] = [];
  // One more than is shown tells whether there is a next page.
  for await (const name of names({ ...place, limit: most + 1, signal: gone })) page.push(name);
  const shown = page.slice(0, most);
  const last = shown.at(-1);
  const next = page.length > most && last !== undefined ? { next: encodeNext(last) } : {};
  return jsonAnswer(JSON.stringify({ [what]: shown, ...next }));
}

async function* nameLines(names: AsyncIterable<string>): AsyncGenerator<Line, void, undefined> {
  for await (const name of names) yield { text: JSON.stringify(name) };
}

function encodeNext(name: string): string {
  return Buffer.from(name).toString("base64url");
}

function decodeNext(text: string): string {
  const name = Buffer.from(text, "base64url").toString();
  if (name === "" || encodeNext(name) !== text) throw invalidArgument("next", "`next` of the page before", text);
  return name;
}
