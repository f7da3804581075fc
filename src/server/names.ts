// The names of spaces and segments: a page, or all as lines; and what there is of a space.

import { invalidArgument } from "../core/errors.ts";
import { parseSegmentName, parseSpaceName } from "../core/ids.ts";
import { asOneLine } from "../wire/json-text.ts";
import { mediaTypes } from "../wire/operation.ts";
import { decodeName, encodeName } from "../wire/names.ts";
import {
  segments as segmentsOperation,
  spaces as spacesOperation,
  spaceStatus as spaceStatusOperation,
} from "../wire/operations/names.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { NamesOptions } from "../store/store.ts";
import type { HttpResponse } from "./http.ts";
import { jsonAnswer, endpoint } from "./endpoint.ts";
import { lineAnswer } from "./lines.ts";
import type { Line } from "./lines.ts";
import type { StreamContext } from "./streams.ts";

export const spaces = endpoint(spacesOperation, (services, call) => {
  const store = services.stores.open(call.params.store);
  const after = afterOf(call.query.next, parseSpaceName);
  return answerNames({ ...call, services }, "spaces", (options) => store.getSpaces({ ...after, ...options }), call);
});

export const segments = endpoint(segmentsOperation, (services, call) => {
  const store = services.stores.open(call.params.store);
  const { space } = call.params;
  const after = afterOf(call.query.next, parseSegmentName);
  const names = (options: NamesOptions) => store.getSegments(space, { ...after, ...options });
  return answerNames({ ...call, services }, "segments", names, call);
});

export const spaceStatus = endpoint(spaceStatusOperation, async (services, call) => {
  const { space, store } = call.params;
  const { signal } = call.connection;
  const [status, retention] = await Promise.all([
    services.stores.open(store).getSpaceStatus(space, { signal }),
    services.retention.get(store, space),
  ]);
  const { counts, ...others } = status;
  const kept = retention === undefined ? {} : { retention: { ...retention.policy, of: retention.of } };
  return jsonAnswer(JSON.stringify({ ...others, ...counts, ...kept }));
});

interface Wanted {
  readonly accept: "application/json" | "application/x-ndjson";
  readonly query: { readonly limit?: number | undefined };
}

async function answerNames(
  context: StreamContext,
  what: "spaces" | "segments",
  names: (options: NamesOptions) => AsyncIterable<string>,
  wanted: Wanted,
): Promise<HttpResponse> {
  const { signal } = context.connection;
  const { limit = 0 } = wanted.query;
  if (wanted.accept === mediaTypes.ndjson) {
    return lineAnswer(context, nameLines(names({ limit, signal: signal })));
  }
  const most = limit === 0 ? wireLimits.pageNamesDefault : limit;
  const page: string[] = [];
  // One more than is shown tells whether there is a next page.
  for await (const name of names({ limit: most + 1, signal: signal })) page.push(name);
  const shown = page.slice(0, most);
  const last = shown.at(-1);
  const next = page.length > most && last !== undefined ? { next: encodeName(last) } : {};
  return jsonAnswer(JSON.stringify({ [what]: shown, ...next }));
}

async function* nameLines(names: AsyncIterable<string>): AsyncGenerator<Line, void, undefined> {
  for await (const name of names) yield { text: asOneLine(JSON.stringify(name)) };
}

/** Only a name can have been the last of a page. */
function afterOf(next: string | undefined, parseName: (text: string) => string): NamesOptions {
  if (next === undefined) return {};
  const after = decodeName(next, parseName);
  if (after === undefined) throw invalidArgument("next", "`next` of the page before", next);
  return { after };
}
