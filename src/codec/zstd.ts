// Zstd as the compressor of blocks, at the default level (3). Node.js compresses small blocks on the event loop, which
// takes less time than handing them over; a library compresses larger ones off the event loop.
//
// Promise: the output of compressing is one frame that declares the size of its content. The output of decompressing
// never grows beyond the given limit, nor beyond what its bytes can hold: anything else is `corrupt_data` before the
// library sees it. An error of the library counts as damage only if it speaks of the bytes; that it had no memory says
// nothing about them.

import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { compress, decompress } from "@mongodb-js/zstd";
import { corruptData, StoreError } from "../core/errors.ts";
import type { Compressor } from "./block.ts";
import { asBuffer } from "./bytes.ts";
import { declareContentSize, frameSize } from "./zstd-frame.ts";

/**
 * Plain bytes that take the event loop little more than 0.1 ms, either way; handing over the smallest takes as long.
 */
const onLoopBytesMax = 32 * 1024;

export const zstdCompressor: Compressor = {
  async compress(plain) {
    const { byteLength: size } = plain;
    const frame = size <= onLoopBytesMax ? zstdCompressSync(plain) : await compress(asBuffer(plain));
    return declareContentSize(frame, size);
  },

  async decompress(data, bytesMax) {
    const size = frameSize(data);
    if (size.kind === "invalid") throw corruptData(`not the Zstd frame it should be: ${size.why}`);
    if (size.atMost > bytesMax) {
      throw corruptData(`a Zstd frame of up to ${size.atMost} bytes where at most ${bytesMax} can be`);
    }
    // That the content has the size declared, neither less nor more, the decoders check.
    try {
      if (size.atMost > onLoopBytesMax) return await decompress(asBuffer(data));
      return zstdDecompressSync(data, { maxOutputLength: Math.max(1, size.atMost) });
    } catch (error) {
      if (saysDamaged(error)) throw corruptData("a Zstd frame that does not decompress", error);
      throw new StoreError("overloaded", "Stored data could not be decompressed for now. Try again a little later.", {
        cause: error,
        retryAfterMs: 1_000,
      });
    }
  },
};

/**
 * The reference implementation's own names (`ZSTD_getErrorString`) of what is wrong with the bytes it was given: both
 * decoders give them as their message, and one of them nothing else.
 */
const damages: readonly string[] = [
  "Unknown frame descriptor",
  "Version not supported",
  "Unsupported frame parameter",
  "Frame requires too much memory for decoding",
  "Data corruption detected",
  "Restored data doesn't match checksum",
  "Header of Literals' block doesn't respect format specification",
  "Dictionary is corrupted",
  "Dictionary mismatch",
  "Destination buffer is too small",
  "Src size is incorrect",
];

/** Node.js's own words for content that goes on beyond, or ends before, what the frame declares. */
const damageCodes: readonly unknown[] = ["ERR_BUFFER_TOO_LARGE", "Z_BUF_ERROR"];

export function saysDamaged(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? error.code : undefined;
  return damageCodes.includes(code) || damages.some((name) => error.message.endsWith(name));
}
