// Zstd as the compressor of blocks, off the event loop, at the library's default level (3).
//
// Promise: what is compressed is one frame that declares the size of its content. What is decompressed never grows beyond what
// was allowed, nor beyond what its bytes can hold: anything else is `corrupt_data` before the library sees it.

import { compress, decompress } from "@mongodb-js/zstd";
import { corruptData } from "../core/errors.ts";
import type { Compressor } from "./block.ts";
import { asBuffer } from "./bytes.ts";
import { declareContentSize, frameSize } from "./zstd-frame.ts";

export const zstdCompressor: Compressor = {
  async compress(plain) {
    return declareContentSize(await compress(asBuffer(plain)), plain.byteLength);
  },

  async decompress(data, bytesMax) {
    const size = frameSize(data);
    if (size.kind === "invalid") throw corruptData(`not the Zstd frame it should be: ${size.why}`);
    if (size.atMost > bytesMax) {
      throw corruptData(`a Zstd frame of up to ${size.atMost} bytes where at most ${bytesMax} can be`);
    }
    // That the content has the size declared, neither less nor more, the library checks.
    return decompress(asBuffer(data)).catch((error: unknown) => {
      throw corruptData("a Zstd frame that does not decompress", error);
    });
  },
};
