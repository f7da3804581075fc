// Lexicographic keys: parts joined by 00, so that comparing keys as bytes compares their values part by part.
//
// Promise: the bytes of the reference's lexkey. Strings order by their UTF-8, integers by value; hex keeps that order
// in the ordinal comparison of the service. A string that holds NUL would read as two parts: names never do
// (`core/ids`).

import { invalidArgument } from "../core/errors.ts";
import { asBuffer } from "./bytes.ts";

export type Part = string | Uint8Array | { readonly int64: bigint } | { readonly uint64: bigint };

const separator = 0x00;
const signBit = 1n << 63n;
const int64Min = -signBit;
const int64Max = signBit - 1n;
const uint64Max = (1n << 64n) - 1n;
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const hexPattern = /^(?:[0-9a-f]{2})*$/;

/** A signed integer: 8 bytes, negative before positive. */
export function int64(value: number | bigint): { readonly int64: bigint } {
  return { int64: toBigInt("int64", value, int64Min, int64Max) };
}

export function uint64(value: number | bigint): { readonly uint64: bigint } {
  return { uint64: toBigInt("uint64", value, 0n, uint64Max) };
}

/** The 16 bytes of a UUID. */
export function uuidPart(text: string): Uint8Array {
  if (!uuidPattern.test(text)) throw invalidArgument("uuid", "a UUID", text);
  return Buffer.from(text.replaceAll("-", ""), "hex");
}

export function lexkey(...parts: readonly Part[]): Uint8Array {
  return encode(parts);
}

/** Sorts after the key itself and before every key that continues it with a further part. */
export function lexkeyFirst(...parts: readonly Part[]): Uint8Array {
  return encode(parts, 0x00);
}

/** Sorts after every key that continues this one with a further part. */
export function lexkeyLast(...parts: readonly Part[]): Uint8Array {
  return encode(parts, 0xff);
}

/** The key as tables have it: lower-case hex, legal whatever the parts contain. */
export function hexKey(...parts: readonly Part[]): string {
  return encode(parts).toString("hex");
}

export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex");
}

/** Takes back what `toHex` gives and nothing else: one text for the same bytes. */
export function fromHex(text: string): Uint8Array {
  if (!hexPattern.test(text)) throw invalidArgument("hex", "pairs of the digits 0-9 and a-f", text);
  return Buffer.from(text, "hex");
}

/**
 * Compares well-formed strings as their UTF-8 bytes compare; JavaScript's own order differs from U+10000 on. Allocates
 * nothing.
 */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Code units in the order of the code points they begin: surrogates stand for U+10000 and above, so after U+FFFF. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x10000 : unit;
}

function encode(parts: readonly Part[], suffix?: number): Buffer {
  let size = Math.max(0, parts.length - 1) + (suffix === undefined ? 0 : 1);
  for (const part of parts) size += partBytes(part);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [index, part] of parts.entries()) {
    if (index > 0) at = bytes.writeUInt8(separator, at);
    at = writePart(bytes, at, part);
  }
  if (suffix !== undefined) bytes.writeUInt8(suffix, at);
  return bytes;
}

function partBytes(part: Part): number {
  if (typeof part === "string") {
    // A lone surrogate would be written as U+FFFD: two names would share a key.
    if (!part.isWellFormed()) throw invalidArgument("key", "valid Unicode", part);
    return Buffer.byteLength(part);
  }
  return part instanceof Uint8Array ? part.byteLength : 8;
}

/** Answers where the part ends. */
function writePart(bytes: Buffer, at: number, part: Part): number {
  if (typeof part === "string") return at + bytes.write(part, at);
  if (part instanceof Uint8Array) {
    bytes.set(part, at);
    return at + part.byteLength;
  }
  return bytes.writeBigUInt64BE("int64" in part ? part.int64 + signBit : part.uint64, at);
}

function toBigInt(field: string, value: number | bigint, min: bigint, max: bigint): bigint {
  const integer = typeof value === "bigint" ? value : Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (integer === undefined || integer < min || integer > max) {
    throw invalidArgument(field, `an exact integer from ${String(min)} to ${String(max)}`, value);
  }
  return integer;
}
