import { expect, test } from "vitest";
import { openQueueService } from "../../../scripts/local/connections.ts";

const connectionString = (account: string): string =>
  `DefaultEndpointsProtocol=https;AccountName=${account};AccountKey=a2V5;EndpointSuffix=core.windows.net`;
const url = async (connection: string | undefined, env: Record<string, string>): Promise<string> =>
  (await openQueueService(connection, env)).url;

test("without a name it is the host's own storage", async () => {
  const env = { AzureWebJobsStorage: connectionString("own") };
  expect(await url(undefined, env)).toContain("//own.queue.core.windows.net");
  expect(await url("", env)).toContain("//own.queue.core.windows.net");
});

test("a name is looked for under the host's prefix, then as it is", async () => {
  const env = { Orders: connectionString("plain"), AzureWebJobsOrders: connectionString("prefixed") };
  expect(await url("Orders", env)).toContain("//prefixed.");
  expect(await url("Orders", { Orders: env.Orders })).toContain("//plain.");
});

test("the emulator has its usual port", async () => {
  expect(await url("Orders", { Orders: "UseDevelopmentStorage=true" })).toContain("127.0.0.1:10001");
});

test("a connection may be by identity", async () => {
  expect(await url("Orders", { Orders__accountName: "acc" })).toContain("//acc.queue.core.windows.net");
  expect(await url("Orders", { Orders__queueServiceUri: "https://q.example", Orders__clientId: "id" })).toContain(
    "//q.example",
  );
});

test("one that is not set is named", async () => {
  await expect(url("Orders", { AzureWebJobsStorage: "x" })).rejects.toThrow("The connection Orders is not set");
});
