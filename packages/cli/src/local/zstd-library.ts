// Zstd off the event loop, in the place of the native library that a deployed app brings along: Node's own does, and
// needs no binary.

import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";

export const compress: (plain: Uint8Array) => Promise<Buffer> = promisify(zstdCompress);
export const decompress: (frame: Uint8Array) => Promise<Buffer> = promisify(zstdDecompress);
