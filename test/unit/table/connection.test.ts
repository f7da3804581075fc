import { inspect } from "node:util";
import { expect, test } from "vitest";
import { parseSettings } from "../../../src/settings.ts";
import { isEmulator, parseConnection, type Settings } from "../../../src/table/connection.ts";

const key = Buffer.from("a very secret key").toString("base64");
const account = `DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=${key};EndpointSuffix=core.windows.net`;

function refused(settings: Settings): string {
  try {
    parseConnection(settings);
  } catch (error) {
    expect(error).toMatchObject({ name: "StoreError", code: "invalid_argument" });
    return (error as Error).message;
  }
  throw new Error("accepted");
}

test("a connection string with a key names the account and both endpoints", () => {
  const connection = parseConnection({ STREAMKIT_STORAGE: account });
  expect(connection).toMatchObject({
    setting: "STREAMKIT_STORAGE",
    accountName: "acct",
    tableEndpoint: "https://acct.table.core.windows.net",
    queueEndpoint: "https://acct.queue.core.windows.net",
    credential: { kind: "key" },
  });
  expect(connection.credential.kind === "key" && connection.credential.key.reveal()).toBe(key);
  expect(isEmulator(connection)).toBe(false);
});

test("names in a connection string have any case, values may have equals signs, order does not matter", () => {
  const connection = parseConnection({ STREAMKIT_STORAGE: ` accountkey=${key};ACCOUNTNAME=acct; ` });
  expect(connection).toMatchObject({
    tableEndpoint: "https://acct.table.core.windows.net",
    credential: { kind: "key" },
  });
});

test("the project's own setting goes before the host's, and an empty one is none", () => {
  const other = account.replaceAll("acct", "other");
  expect(parseConnection({ STREAMKIT_STORAGE: account, AzureWebJobsStorage: other }).accountName).toBe("acct");
  expect(parseConnection({ STREAMKIT_STORAGE: " ", AzureWebJobsStorage: other })).toMatchObject({
    accountName: "other",
    setting: "AzureWebJobsStorage",
  });
  expect(parseConnection({ STREAMKIT_STORAGE__accountName: "acct", AzureWebJobsStorage: other }).accountName).toBe(
    "acct",
  );
});

test("development storage is Azurite on this machine, or where its proxy is", () => {
  const here = parseConnection({ AzureWebJobsStorage: "UseDevelopmentStorage=true" });
  expect(here).toMatchObject({
    tableEndpoint: "http://127.0.0.1:10002/devstoreaccount1",
    queueEndpoint: "http://127.0.0.1:10001/devstoreaccount1",
  });
  expect(isEmulator(here)).toBe(true);
  const there = "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite/";
  expect(parseConnection({ AzureWebJobsStorage: there, STREAMKIT_ALLOW_INSECURE_HTTP: "true" })).toMatchObject({
    tableEndpoint: "http://azurite:10002/devstoreaccount1",
    queueEndpoint: "http://azurite:10001/devstoreaccount1",
  });
});

test.each([
  ["the account's name alone", "AccountName=devstoreaccount1;AccountKey=KEY", false],
  [
    "its name in a path of Azure, with another key",
    `AccountName=devstoreaccount1;AccountKey=${key};TableEndpoint=https://acct.example/devstoreaccount1`,
    false,
  ],
  [
    "tables here and queues elsewhere",
    `AccountName=acct;AccountKey=${key};TableEndpoint=http://127.0.0.1:1/acct;QueueEndpoint=https://acct.queue.core.windows.net`,
    false,
  ],
  [
    "any account on this machine",
    `AccountName=acct;AccountKey=${key};TableEndpoint=http://localhost:1/acct;QueueEndpoint=http://[::1]:2/acct`,
    true,
  ],
  [
    "the emulator's own key and path, on another machine",
    "AccountName=devstoreaccount1;AccountKey=KEY;TableEndpoint=https://azurite:1/devstoreaccount1;QueueEndpoint=https://azurite:2/devstoreaccount1",
    true,
  ],
])("what needs no access control is told by endpoint and key: %s", (_, text, expected) => {
  const emulatorKey = parseConnection({ STREAMKIT_STORAGE: "UseDevelopmentStorage=true" }).credential;
  const known = emulatorKey.kind === "key" ? emulatorKey.key.reveal() : "";
  const STREAMKIT_STORAGE = text.replace("KEY", known);
  expect(isEmulator(parseConnection({ STREAMKIT_STORAGE }))).toBe(expected);
  const start = (): unknown => parseSettings({ STREAMKIT_STORAGE, STREAMKIT_AUTH: "none" });
  if (expected) expect(start).not.toThrow();
  else expect(start).toThrow(/STREAMKIT_AUTH: none is for the storage emulator/);
});

test("given endpoints are taken as they are, without a slash at the end", () => {
  const text = `AccountName=acct;AccountKey=${key};TableEndpoint=http://127.0.0.1:5002/acct/;QueueEndpoint=http://[::1]:5001/acct/`;
  expect(parseConnection({ STREAMKIT_STORAGE: text })).toMatchObject({
    tableEndpoint: "http://127.0.0.1:5002/acct",
    queueEndpoint: "http://[::1]:5001/acct",
  });
});

test("a shared access signature needs no key; the queues' endpoint follows from the tables'", () => {
  const text = "TableEndpoint=https://acct.table.core.windows.net/;SharedAccessSignature=?sv=2022&sig=a%3D";
  const connection = parseConnection({ STREAMKIT_STORAGE: text });
  expect(connection).toMatchObject({ accountName: "acct", queueEndpoint: "https://acct.queue.core.windows.net" });
  expect(connection.credential.kind === "sas" && connection.credential.signature.reveal()).toBe("sv=2022&sig=a%3D");
  const own = "TableEndpoint=https://tables.example.com/acct;SharedAccessSignature=sv=2022&sig=a";
  expect(parseConnection({ STREAMKIT_STORAGE: own })).toMatchObject({ accountName: "acct", queueEndpoint: undefined });
});

test("identity-based settings are an account's name or its endpoints, with a client id or none", () => {
  expect(parseConnection({ AzureWebJobsStorage__accountName: "acct" })).toMatchObject({
    setting: "AzureWebJobsStorage",
    tableEndpoint: "https://acct.table.core.windows.net",
    queueEndpoint: "https://acct.queue.core.windows.net",
    credential: { kind: "identity", clientId: undefined, managed: false },
  });
  expect(
    parseConnection({
      STREAMKIT_STORAGE__tableServiceUri: "https://acct.table.core.usgovcloudapi.net/",
      STREAMKIT_STORAGE__credential: "managedIdentity",
      STREAMKIT_STORAGE__clientId: "some-id",
    }),
  ).toMatchObject({
    accountName: "acct",
    tableEndpoint: "https://acct.table.core.usgovcloudapi.net",
    queueEndpoint: "https://acct.queue.core.usgovcloudapi.net",
    credential: { kind: "identity", clientId: "some-id", managed: true },
  });
});

test("plain HTTP stays on this machine unless it is allowed", () => {
  const text = `AccountName=acct;AccountKey=${key};TableEndpoint=http://storage.local/acct`;
  expect(refused({ STREAMKIT_STORAGE: text })).toMatch(
    /STREAMKIT_STORAGE: plain HTTP .* STREAMKIT_ALLOW_INSECURE_HTTP=true/,
  );
  expect(refused({ STREAMKIT_STORAGE: text, STREAMKIT_ALLOW_INSECURE_HTTP: "false" })).toMatch(/plain HTTP/);
  expect(refused({ STREAMKIT_STORAGE__tableServiceUri: "http://storage.local" })).toMatch(/plain HTTP/);
  expect(refused({ STREAMKIT_STORAGE: text.replace("storage.local", "127.0.0.1.example.com") })).toMatch(/plain HTTP/);
  expect(parseConnection({ STREAMKIT_STORAGE: text, STREAMKIT_ALLOW_INSECURE_HTTP: "true" }).accountName).toBe("acct");
  for (const host of ["localhost", "127.0.0.1:1", "127.9.9.9", "[::1]:2", "a.localhost"]) {
    const connection = parseConnection({ STREAMKIT_STORAGE: text.replace("storage.local", host) });
    expect(connection.tableEndpoint).toBe(`http://${host}/acct`);
  }
});

test("an error names what is missing or wrong and what to set, and never shows the key", () => {
  expect(refused({})).toMatch(/STREAMKIT_STORAGE or AzureWebJobsStorage/);
  const messages = [
    refused({ STREAMKIT_STORAGE: "nonsense" }),
    refused({ STREAMKIT_STORAGE: `AccountName=acct;${key.replaceAll("=", "")}` }),
    refused({ STREAMKIT_STORAGE: `AccountKey=${key};TableEndpoint=https://a.table.core.windows.net` }),
    refused({ STREAMKIT_STORAGE: "AccountName=acct" }),
    refused({ STREAMKIT_STORAGE: `AccountName=acct;AccountKey=${key}!` }),
    refused({ STREAMKIT_STORAGE: `AccountName=acct;AccountKey=${key};TableEndpoint=ftp://host` }),
    refused({ STREAMKIT_STORAGE: `AccountName=acct;AccountKey=${key};TableEndpoint=nowhere` }),
    refused({ STREAMKIT_STORAGE: "SharedAccessSignature=sv=1&sig=a" }),
    refused({ STREAMKIT_STORAGE__queueServiceUri: "https://acct.queue.core.windows.net" }),
    refused({ STREAMKIT_STORAGE__accountName: "acct", STREAMKIT_STORAGE__credential: "password" }),
  ];
  for (const message of messages) {
    expect(message).toMatch(/^STREAMKIT_STORAGE/);
    expect(message).not.toContain(key.replaceAll("=", ""));
  }
});

test("a connection can be logged without its secret", () => {
  const connection = parseConnection({ STREAMKIT_STORAGE: account });
  for (const shown of [inspect(connection, { depth: 9, showHidden: true }), JSON.stringify(connection)]) {
    expect(shown).toContain("[secret]");
    expect(shown).not.toContain(key);
  }
});
