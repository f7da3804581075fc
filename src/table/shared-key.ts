// Signs requests with the key of a storage account: SharedKeyLite, as the service documents it for tables. The key is
// prepared once, which the SDK's own policy does for each request.
//
// https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key#shared-key-lite-and-table-service-format-for-2009-09-19-and-later

import type { PipelinePolicy } from "@azure/core-rest-pipeline";
import { createHmac, createSecretKey } from "node:crypto";

import type { Clock } from "../core/clock.ts";

/** For requests without `comp`, which none of ours has. `key`: base64. */
export function sharedKeyPolicy(account: string, key: string, clock: Pick<Clock, "now">): PipelinePolicy {
  const secret = createSecretKey(Buffer.from(key, "base64"));
  let last = { text: "", signature: "" };
  return {
    name: "sharedKeyPolicy",
    sendRequest: (request, next) => {
      const date = new Date(clock.now()).toUTCString();
      const text = `${date}\n/${account}${new URL(request.url).pathname}`;
      // Entity-group transactions have one path, and a date is good for a second.
      if (text !== last.text) last = { text, signature: createHmac("sha256", secret).update(text).digest("base64") };
      request.headers.set("x-ms-date", date);
      request.headers.set("Authorization", `SharedKeyLite ${account}:${last.signature}`);
      return next(request);
    },
  };
}
