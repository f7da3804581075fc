// The contract, on LevelDB behind the HTTP functions.

import { openLevelHttpBackend } from "./http-backend.ts";
import { claims, storeContract } from "./store-contract.ts";

storeContract("LevelDB behind the HTTP functions", () => openLevelHttpBackend(), claims);
