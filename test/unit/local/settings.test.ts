import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  expandSettings,
  readHostSettings,
  readLocalSettings,
  UnusableHostJson,
} from "../../../scripts/local/settings.ts";
import { parseTimeSpan } from "../../../scripts/local/time-span.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "settings-"));
});
afterEach(() => rm(root, { recursive: true }));

const write = (file: string, json: unknown): Promise<void> =>
  writeFile(join(root, file), typeof json === "string" ? json : JSON.stringify(json));

describe("host.json", () => {
  test("without more than its version has the host's own defaults", async () => {
    await write("host.json", { version: "2.0" });
    expect(readHostSettings(root, {})).toEqual({
      routePrefix: "api",
      queues: {
        ...{ batchSize: 16, newBatchThreshold: 8, maxDequeueCount: 5, maxPollingIntervalMs: 60_000 },
        ...{ retryVisibilityMs: 0, messageEncoding: "base64" },
      },
      functionTimeoutMs: 1_800_000,
      logLevel: new Map(),
    });
  });

  test("is read with a byte order mark, and what the host does not care about is left alone", async () => {
    await write("host.json", `\uFEFF${JSON.stringify({ version: "2.0", functionTimeout: "-1", other: {} })}`);
    expect(readHostSettings(root, {}).functionTimeoutMs).toBeUndefined();
  });

  test("is overridden by the environment, place by place", async () => {
    await write("host.json", { version: "2.0", extensions: { queues: { batchSize: 4, maxDequeueCount: 2 } } });
    const env = {
      AzureFunctionsJobHost__extensions__queues__batchSize: "8",
      AzureFunctionsJobHost__extensions__http__routePrefix: "api/v1",
      AzureFunctionsJobHost__logging__logLevel__default: "Warning",
    };
    const settings = readHostSettings(root, env);
    expect(settings.queues).toMatchObject({ batchSize: 8, newBatchThreshold: 4, maxDequeueCount: 2 });
    expect(settings.routePrefix).toBe("api/v1");
    expect(settings.logLevel.get("default")).toBe("warning");
  });

  test("is the same in whatever case its names are written, there and in the environment", async () => {
    await write("host.json", { Version: "2.0", extensions: { Queues: { BatchSize: 4, maxDequeueCount: 2 } } });
    const env = {
      AZUREFUNCTIONSJOBHOST__EXTENSIONS__QUEUES__BATCHSIZE: "8",
      azurefunctionsjobhost__extensions__http__routeprefix: "v1",
    };
    const settings = readHostSettings(root, env);
    expect(settings.queues).toMatchObject({ batchSize: 8, maxDequeueCount: 2 });
    expect(settings.routePrefix).toBe("v1");
  });

  test("may have comments, and commas before a closing bracket, but not inside of texts", async () => {
    const text = `// of the app
      { "version": "2.0", /* all
      of it */ "extensions": { "http": { "routePrefix": "a", }, },
      "logging": { "logLevel": { "default": "Warning", "a//b,}": "Error", } } // the end
      , }`;
    await write("host.json", text);
    const settings = readHostSettings(root, {});
    expect(settings.routePrefix).toBe("a");
    expect([...settings.logLevel]).toEqual([
      ["default", "warning"],
      ["a//b,}", "error"],
    ]);
  });

  test("has text and numbers for one, and what is null for absent", async () => {
    const queues = { batchSize: "5", maxDequeueCount: 2, newBatchThreshold: null, visibilityTimeout: "5" };
    await write("host.json", { version: "2", functionTimeout: "5", extensions: { queues, http: null } });
    const settings = readHostSettings(root, {});
    expect(settings.functionTimeoutMs).toBe(5 * 86_400_000);
    expect(settings.queues).toMatchObject({ batchSize: 5, newBatchThreshold: 2, maxDequeueCount: 2 });
    expect(settings.queues.retryVisibilityMs).toBe(5 * 86_400_000);
    expect(settings.routePrefix).toBe("api");
  });

  const queues = (values: object): object => ({ version: "2.0", extensions: { queues: values } });
  const prefixed = (routePrefix: string): object => ({ version: "2.0", extensions: { http: { routePrefix } } });
  test.for([
    ["{", "host.json cannot be used"],
    ["[]", "host.json cannot be used"],
    [{}, "version"],
    [{ version: "1.0" }, "version"],
    [{ version: "2.0", functionTimeout: "soon" }, "functionTimeout"],
    [{ version: "2.0", functionTimeout: "00:00:00" }, "functionTimeout"],
    [{ version: "2.0", functionTimeout: 0 }, "functionTimeout"],
    [queues({ batchSize: 33 }), "extensions.queues.batchSize"],
    [queues({ batchSize: "many" }), "extensions.queues.batchSize"],
    [queues({ batchSize: true }), "extensions.queues.batchSize"],
    [queues({ maxPollingInterval: "00:00:00.099" }), "extensions.queues.maxPollingInterval"],
    [queues({ messageEncoding: "utf8" }), "extensions.queues.messageEncoding"],
    [prefixed("/a/"), "extensions.http.routePrefix"],
    [prefixed("/a"), "extensions.http.routePrefix"],
    [prefixed("a/"), "extensions.http.routePrefix"],
    [prefixed("a//b"), "extensions.http.routePrefix"],
  ] as const)("%o is refused by a sentence that says why", async ([json, said]) => {
    await write("host.json", json);
    const env = { AzureFunctionsJobHost__other: "x" };
    expect(() => readHostSettings(root, env)).toThrow(UnusableHostJson);
    expect(() => readHostSettings(root, env)).toThrow(said);
  });

  test("must be there", () => {
    expect(() => readHostSettings(root, {})).toThrow("host.json cannot be used: there is none in");
  });
});

describe("local.settings.json", () => {
  test("may be missing", () => {
    expect(readLocalSettings(root)).toEqual({ values: {}, port: undefined });
  });

  test("gives the values and the port", async () => {
    await write("local.settings.json", { IsEncrypted: false, Values: { A: "1" }, Host: { LocalHttpPort: 7072 } });
    expect(readLocalSettings(root)).toEqual({ values: { A: "1" }, port: 7072 });
  });

  test("may have comments as well", async () => {
    await write("local.settings.json", '{ "Values": { "A": "http://a" /* b */, } }');
    expect(readLocalSettings(root).values).toEqual({ A: "http://a" });
  });

  test("cannot be encrypted", async () => {
    await write("local.settings.json", { IsEncrypted: true, Values: {} });
    expect(() => readLocalSettings(root)).toThrow("encrypted");
  });
});

test.for([
  ["00:00:10", 10_000],
  ["1:02:03", 3_723_000],
  ["2.00:00:00", 172_800_000],
  ["00:00:00.5000000", 500],
  [" 00:05 ", 300_000],
  ["1:02:03:04", 93_784_000],
  // As the host's own documentation has it.
  ["24:00:00", 24 * 86_400_000],
  ["25:12:30", (25 * 24 + 12) * 3_600_000 + 30 * 60_000],
  ["10", 864_000_000],
  ["24:00", undefined],
  ["00:60:00", undefined],
  ["1.24:00:00", undefined],
  ["-1", undefined],
  ["soon", undefined],
] as const)("the time span %s is %o ms", ([text, ms]) => {
  expect(parseTimeSpan(text)).toBe(ms);
});

test("a setting in percent signs is replaced, and must be there", () => {
  expect(expandSettings("a-%X%-%Y%", { X: "1", Y: "2" })).toBe("a-1-2");
  expect(() => expandSettings("%X%", { X: "" })).toThrow('The setting X, used in "%X%", is not set.');
});
