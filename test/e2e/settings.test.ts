import { expect, test } from "vitest";
import { startApp } from "./harness.ts";

const realAccount = "AccountName=example;AccountKey=MDEyMw==;EndpointSuffix=core.windows.net";

test.each([
  {
    claim: "no storage account",
    env: { AzureWebJobsStorage: "" },
    sentence:
      "STREAMKIT_STORAGE: no storage account is configured; set STREAMKIT_STORAGE or AzureWebJobsStorage to a connection string, or STREAMKIT_STORAGE__accountName to its name.",
  },
  {
    claim: "a storage account that is not a connection string",
    env: { STREAMKIT_STORAGE: "my account" },
    sentence: "STREAMKIT_STORAGE: not a connection string; expected Name=value pairs with semicolons between them.",
  },
  {
    claim: "no access control with a real account",
    env: { STREAMKIT_STORAGE: realAccount, STREAMKIT_AUTH: "none" },
    sentence: "STREAMKIT_AUTH: none is for the storage emulator only; set it to key or jwt.",
  },
  {
    claim: "tokens without their issuer",
    env: { STREAMKIT_AUTH: "jwt" },
    sentence: "STREAMKIT_AUTH is jwt: set STREAMKIT_JWT_ISSUER, STREAMKIT_JWT_AUDIENCE and STREAMKIT_JWT_JWKS_URL.",
  },
  {
    claim: "a number that is too great",
    env: { STREAMKIT_BATCH_OPERATIONS: "101" },
    sentence: "STREAMKIT_BATCH_OPERATIONS: expected an integer from 4 to 100.",
  },
  {
    claim: "a queue that cannot be",
    env: { STREAMKIT_NOTIFICATIONS_QUEUE: "Status_Queue" },
    sentence:
      "STREAMKIT_NOTIFICATIONS_QUEUE: expected 3 to 56 lower-case letters, digits and single dashes, or - for none.",
  },
])("with $claim nothing starts, and one sentence says what to set", async ({ env, sentence }) => {
  await expect(startApp({ env })).rejects.toThrow(sentence);
});
