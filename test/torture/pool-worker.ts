// A worker as a process of its own: writes what a handler produces, by the key of its entry, until it is killed.
// Arguments: the URL of the app, the store, the consumer, the space it writes to.

import { StreamkitClient } from "../../packages/client/src/index.ts";

// It ends with the process that started it.
process.once("disconnect", () => process.exit());

const [url = "", storeId = "", consumerName = "", output = ""] = process.argv.slice(2);
const store = new StreamkitClient(url).getStoreClient(storeId);
const results = store.getSpaceClient<number>(output);
const consumer = store.getConsumerClient<number>(consumerName);

await consumer.run(
  async ({ key, payload, segment }) => {
    await results.getSegmentClient(segment).append({ payload }, { idempotencyKey: key });
  },
  { maxEntries: 20, waitInSeconds: 1 },
);
