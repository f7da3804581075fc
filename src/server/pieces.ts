// Text that is there as a whole and leaves in pieces, as fast as its caller takes it: who does not read holds back the rest of it, and
// is let go in time, as from any stream.

import { wireLimits } from "../wire/wire-limits.ts";
import type { HttpResponse } from "./http.ts";
import type { Holding } from "./overload.ts";

/** The answer, in pieces if it is large; then its bytes are held until the holding is closed, when it has left. */
export function inPieces(answer: HttpResponse, memory: Holding): HttpResponse {
  const { body } = answer;
  if (typeof body !== "string" || body.length <= wireLimits.pieceCharacters) return answer;
  // A budget smaller than a page still lets one page through at a time.
  memory.take(Math.min(Buffer.byteLength(body), memory.largest));
  return { ...answer, body: piecesOf(body) };
}

/** No character is cut in two: pieces are encoded one by one. */
export function* piecesOf(text: string): Generator<string, void, undefined> {
  for (let at = 0; at < text.length;) {
    let end = at + wireLimits.pieceCharacters;
    if (isLowSurrogate(text.charCodeAt(end))) end += 1;
    yield text.slice(at, end);
    at = end;
  }
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
