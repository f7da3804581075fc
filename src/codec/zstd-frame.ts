// Tells of a Zstd frame (RFC 8878), without decompressing it, where it ends and how large its content can become.
//
// Why: the library that decompresses keeps to no limit of ours. It follows one frame after another and grows its output
// as long as blocks come; 4 bytes can stand for 128 KiB. Two kinds of frames bound it: a single-segment frame, whose
// declared size the library does not exceed, and a frame whose few blocks can hold only so much. The library writes
// frames without a size, so this file adds it.

import { asBuffer } from "./bytes.ts";

const magic = 0xfd2fb528;
const magicBytes = 4;
const checksumBytes = 4;
const blockHeaderBytes = 3;
/** No block becomes more, by the format. */
const blockContentBytesMax = 128 * 1024;
/**
 * The window that the format asks every decoder to support; larger ones are only asked for by who wants memory taken.
 */
const windowBytesMax = 8 * 1024 * 1024;
const blockType = { raw: 0, rle: 1, compressed: 2 } as const;
const flag = { singleSegment: 0x20, reserved: 0x08, checksum: 0x04, dictionary: 0x03 } as const;

interface FrameHeader {
  readonly singleSegment: boolean;
  readonly checksum: boolean;
  readonly contentBytes: number | undefined;
  /** Where the blocks begin. */
  readonly end: number;
}

export type FrameSize =
  /** The content has at most `atMost` bytes, exactly `exactly` when the frame says so. */
  | { readonly kind: "bounded"; readonly atMost: number; readonly exactly: number | undefined }
  | { readonly kind: "invalid"; readonly why: string };

/** Returns the bound of data that is one frame and nothing else. A decoder keeps to it, whatever the blocks contain. */
export function frameSize(data: Uint8Array): FrameSize {
  const bytes = asBuffer(data);
  const header = readHeader(bytes);
  if (typeof header === "string") return invalid(header);
  let atMost = 0;
  let at = header.end;
  for (let last = false; !last;) {
    if (at + blockHeaderBytes > bytes.length) return invalid("it ends early");
    const block = bytes.readUIntLE(at, blockHeaderBytes);
    last = (block & 1) === 1;
    const type = (block >>> 1) & 3;
    const size = block >>> 3;
    if (type > blockType.compressed || size > blockContentBytesMax) return invalid("a block of no known kind");
    at += blockHeaderBytes + (type === blockType.rle ? 1 : size);
    atMost += type === blockType.compressed ? blockContentBytesMax : size;
  }
  if (header.checksum) at += checksumBytes;
  if (at !== bytes.length) return invalid(at > bytes.length ? "it ends early" : "something follows it");
  const exactly = header.contentBytes;
  if (exactly === undefined) return { kind: "bounded", atMost, exactly };
  if (exactly > atMost) return invalid("its blocks cannot hold the size it declares");
  return { kind: "bounded", atMost: header.singleSegment ? exactly : atMost, exactly };
}

/**
 * The same frame with the size of its content declared, as a single segment: the form that bounds what a decoder takes.
 * The window of such a frame is its content, so every reference in its blocks stays valid. A frame that is so already
 * is answered as it is.
 */
export function declareContentSize(frame: Uint8Array, contentBytes: number): Uint8Array {
  const bytes = asBuffer(frame);
  const header = readHeader(bytes);
  if (typeof header === "string") throw new Error(`Not a frame: ${header}.`);
  if (header.singleSegment) return frame;
  const size = contentSizeField(contentBytes);
  const start = Buffer.alloc(magicBytes + 1);
  start.writeUInt32LE(magic);
  start.writeUInt8(size.code | flag.singleSegment | (header.checksum ? flag.checksum : 0), magicBytes);
  return Buffer.concat([start, size.field, bytes.subarray(header.end)]);
}

/** The header, or what is wrong with it. */
function readHeader(bytes: Buffer): FrameHeader | string {
  if (bytes.length < magicBytes + 2 || bytes.readUInt32LE() !== magic) return "it is none";
  const descriptor = bytes.readUInt8(magicBytes);
  if ((descriptor & flag.reserved) !== 0) return "of a later format";
  if ((descriptor & flag.dictionary) !== 0) return "it needs a dictionary";
  const singleSegment = (descriptor & flag.singleSegment) !== 0;
  const checksum = (descriptor & flag.checksum) !== 0;
  const sizeAt = magicBytes + 1 + (singleSegment ? 0 : 1);
  if (!singleSegment && windowBytes(bytes.readUInt8(magicBytes + 1)) > windowBytesMax) return "its window is too large";
  const sizeBytes = contentSizeBytes(descriptor >>> 6, singleSegment);
  const end = sizeAt + sizeBytes;
  if (end > bytes.length) return "it ends early";
  return { singleSegment, checksum, contentBytes: readContentSize(bytes, sizeAt, sizeBytes), end };
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSizeBytes(code: number, singleSegment: boolean): 0 | 1 | 2 | 4 | 8 {
  if (code === 0) return singleSegment ? 1 : 0;
  return code === 1 ? 2 : code === 2 ? 4 : 8;
}

/** Sizes beyond 2^53 are rounded, which is enough to refuse them. */
function readContentSize(bytes: Buffer, at: number, sizeBytes: 0 | 1 | 2 | 4 | 8): number | undefined {
  switch (sizeBytes) {
    case 0:
      return undefined;
    case 1:
      return bytes.readUInt8(at);
    case 2:
      return bytes.readUInt16LE(at) + 256;
    case 4:
      return bytes.readUInt32LE(at);
    case 8:
      return Number(bytes.readBigUInt64LE(at));
  }
}

/** The shortest field for a size below 4 GiB, and its code in the descriptor. */
function contentSizeField(contentBytes: number): { readonly code: number; readonly field: Buffer } {
  const field = Buffer.alloc(4);
  if (contentBytes < 256) {
    field.writeUInt8(contentBytes);
    return { code: 0x00, field: field.subarray(0, 1) };
  }
  if (contentBytes < 256 + 65_536) {
    field.writeUInt16LE(contentBytes - 256);
    return { code: 0x40, field: field.subarray(0, 2) };
  }
  field.writeUInt32LE(contentBytes);
  return { code: 0x80, field };
}

function invalid(why: string): FrameSize {
  return { kind: "invalid", why };
}
