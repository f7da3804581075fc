// Takes JSON apart without losing how it was written: values stay slices of their text, so that a payload is kept byte
// for byte.
//
// Promise: what is returned was valid JSON (RFC 8259) once every slice of it has been read by `parseSlice`. No key
// occurs twice, `__proto__` is a key like any other, and neither depth nor size of the input costs more than one pass.

import { invalidArgument } from "../core/errors.ts";
import type { StoreError } from "../core/errors.ts";
import { wireLimits } from "./wire-limits.ts";

/** One JSON value as it was written, without the white space around it. */
export class JsonSlice {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The members of an object, one by one: reading stops where the caller does. `field` names the object in errors. */
export function* splitObject(text: string, field: string): Generator<readonly [string, JsonSlice], void, undefined> {
  const keys = new Set<string>();
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== openBrace) throw invalidArgument(field, "a JSON object", shorten(text));
  at = skipSpace(text, at + 1);
  if (text.charCodeAt(at) === closeBrace) {
    checkEnd(text, at + 1, field);
    return;
  }
  for (;;) {
    if (text.charCodeAt(at) !== quote) throw syntax(field, text, at, "a key in quotes");
    const keyEnd = valueEnd(text, at, field);
    const key = parseSlice(new JsonSlice(text.slice(at, keyEnd)), field) as string;
    at = skipSpace(text, keyEnd);
    if (text.charCodeAt(at) !== colon) throw syntax(field, text, at, "a colon");
    at = skipSpace(text, at + 1);
    const end = valueEnd(text, at, field);
    if (keys.has(key)) {
      throw invalidArgument(field, `every key once: ${JSON.stringify(shorten(key))} is there twice`);
    }
    keys.add(key);
    yield [key, new JsonSlice(text.slice(at, end))];
    at = skipSpace(text, end);
    const next = text.charCodeAt(at);
    if (next === closeBrace) {
      checkEnd(text, at + 1, field);
      return;
    }
    if (next !== comma) throw syntax(field, text, at, "a comma or the end of the object");
    at = skipSpace(text, at + 1);
  }
}

/** The elements of an array, one by one: reading stops where the caller does. */
export function* splitArray(text: string, field: string): Generator<JsonSlice, void, undefined> {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== openBracket) throw invalidArgument(field, "a JSON array", shorten(text));
  at = skipSpace(text, at + 1);
  if (text.charCodeAt(at) === closeBracket) {
    checkEnd(text, at + 1, field);
    return;
  }
  for (;;) {
    const end = valueEnd(text, at, field);
    yield new JsonSlice(text.slice(at, end));
    at = skipSpace(text, end);
    const next = text.charCodeAt(at);
    if (next === closeBracket) {
      checkEnd(text, at + 1, field);
      return;
    }
    if (next !== comma) throw syntax(field, text, at, "a comma or the end of the array");
    at = skipSpace(text, at + 1);
  }
}

/** The value of a slice. */
export function parseSlice(slice: JsonSlice, field: string): unknown {
  try {
    return JSON.parse(slice.text) as unknown;
  } catch {
    throw invalidArgument(field, "valid JSON", shorten(slice.text));
  }
}

/** Whether the text is one JSON value, nested no deeper than any common parser takes. */
export function isPlainJson(text: string): boolean {
  try {
    JSON.parse(text);
    // Each array and object takes two characters: what is short cannot be deep.
    if (text.length > 2 * wireLimits.jsonDepthMax)
      valueEnd(text, skipSpace(text, 0), "payload", wireLimits.jsonDepthMax);
    return true;
  } catch {
    return false;
  }
}

/**
 * Where the value that starts at `at` ends. Only quotes and brackets are looked at: whether what lies between is valid
 * is decided when the slice is parsed. Without recursion: no depth can do harm here.
 */
function valueEnd(text: string, at: number, field: string, depthMax = Infinity): number {
  const first = text.charCodeAt(at);
  if (first === quote) return stringEnd(text, at, field);
  if (first !== openBrace && first !== openBracket) return scalarEnd(text, at, field);
  let depth = 0;
  let index = at;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code === quote) {
      index = stringEnd(text, index, field);
      continue;
    }
    index += 1;
    if (code === openBrace || code === openBracket) {
      depth += 1;
      if (depth > depthMax) throw depthExceeded(field);
    } else if (code === closeBrace || code === closeBracket) {
      depth -= 1;
      if (depth === 0) return index;
    }
  }
  throw syntax(field, text, text.length, "the end of the value that began before");
}

function stringEnd(text: string, at: number, field: string): number {
  let from = at + 1;
  for (;;) {
    const end = text.indexOf('"', from);
    if (end < 0) throw syntax(field, text, text.length, "the end of a string");
    let before = end - 1;
    while (before >= from && text.charCodeAt(before) === backslash) before -= 1;
    if ((end - before) % 2 === 1) return end + 1;
    from = end + 1;
  }
}

function scalarEnd(text: string, at: number, field: string): number {
  let index = at;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code === comma || code === closeBrace || code === closeBracket || isSpace(code)) break;
    index += 1;
  }
  if (index === at) throw syntax(field, text, at, "a value");
  return index;
}

function skipSpace(text: string, at: number): number {
  let index = at;
  while (index < text.length && isSpace(text.charCodeAt(index))) index += 1;
  return index;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function checkEnd(text: string, at: number, field: string): void {
  const rest = skipSpace(text, at);
  if (rest < text.length) throw syntax(field, text, rest, "nothing after the end of the value");
}

function syntax(field: string, text: string, at: number, expected: string): StoreError {
  const found = at < text.length ? JSON.stringify(text.slice(at, at + 20)) : "the end";
  return invalidArgument(field, `${expected} at character ${at}, found ${found}`);
}

/** Characters that are an end of a line for someone. */
const lineEnds = /[\r\n\u0085\u2028\u2029]/;

/**
 * The same JSON in one line: line breaks between its tokens become spaces, and what Unicode, but not JSON, takes for
 * ends of a line is escaped: there are none outside its strings.
 */
export function asOneLine(json: string): string {
  if (!lineEnds.test(json)) return json;
  return json.replace(/[\r\n]/g, " ").replace(/[\u0085\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** The error of a payload that is nested too deeply. */
export function depthExceeded(field: string): StoreError {
  return invalidArgument(field, `at most ${wireLimits.jsonDepthMax} arrays and objects within each other`);
}

function shorten(text: string): string {
  return text.slice(0, 200);
}
