// The contract, by way of the client library, on LevelDB behind the HTTP functions.

import { produceClaims } from "./claims/produce.ts";
import { ClientStore } from "./http/client-store.ts";
import { openLevelHttpBackend } from "./http-backend.ts";
import { claims, storeContract } from "./store-contract.ts";

/**
 * The one claim that cannot be judged here. The client sends all records of an append as one body, which the service
 * checks before it writes any: nothing comes before the record that is too large. The client's own tests judge that.
 */
const comesOneByOne =
  "when a later chunk holds a record that is too large, what was committed before is said and stays";
const produce = produceClaims.filter(({ sentence }) => sentence !== comesOneByOne);
if (produce.length + 1 !== produceClaims.length) throw new Error("The claim that is left out has another sentence.");

storeContract("the client library", () => openLevelHttpBackend((...args) => new ClientStore(...args)), {
  ...claims,
  produce,
});
