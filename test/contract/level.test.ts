// The contract, on LevelDB in process.

import { zstdCompressor } from "../../src/codec/zstd.ts";
import { openLevelBackend } from "./level-backend.ts";
import { directClaims, storeContract } from "./store-contract.ts";

storeContract("LevelDB", () => openLevelBackend({ compressor: zstdCompressor }), directClaims);
