// The contract, on Azure Tables (Azurite) behind the HTTP functions, as they are deployed.

import { openAzureHttpBackend } from "./http-backend.ts";
import { claims, storeContract } from "./store-contract.ts";

storeContract("Azure behind the HTTP functions", () => openAzureHttpBackend(), claims);
