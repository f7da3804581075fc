// The contract, on the Azure backend in process: over the simulated account, and over Azurite.

import { inject } from "vitest";
import { plainCompressor } from "../../src/codec/block.ts";
import { zstdCompressor } from "../../src/codec/zstd.ts";
import { parseConnection } from "../../src/table/connection.ts";
import { createTableAccount } from "../../src/table/sdk.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { systemClock as clock, systemRandom as random } from "../system.ts";
import { openAzureBackend } from "./azure-backend.ts";
import { directClaims, storeContract } from "./store-contract.ts";

storeContract(
  "Azure on the simulated account",
  () => openAzureBackend({ account: new SimulatedAccount({ clock }), compressor: plainCompressor }),
  directClaims,
);

storeContract(
  "Azure on Azurite",
  () => {
    const connection = parseConnection({ AzureWebJobsStorage: inject("azurite") });
    return openAzureBackend({
      account: createTableAccount(connection, { clock, random }),
      compressor: zstdCompressor,
      // The service's pages hold 4 MiB, the emulator's any number of bytes.
      pageRowsMax: 5,
    });
  },
  directClaims,
);
