import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EmulatorPorts } from "../../../scripts/local/azurite.ts";
import type { Child } from "../../../scripts/local/child.ts";
import { needsEmulator, provideEmulator } from "../../../scripts/local/emulator.ts";

const emulator = "UseDevelopmentStorage=true";

describe("the emulator is needed", () => {
  test.for([
    ["when local.settings.json means it", {}, { AzureWebJobsStorage: emulator }],
    ["when the environment does", { AzureWebJobsStorage: emulator }, {}],
    ["when an empty setting hides nothing", { AzureWebJobsStorage: "" }, { AzureWebJobsStorage: emulator }],
    ["when the setting that wins means it", { AzureWebJobsStorage: "an account" }, { STREAMKIT_STORAGE: emulator }],
  ] as const)("%s", ([, env, local]) => {
    expect(needsEmulator(env, local)).toBe(true);
  });
});

describe("no emulator is needed", () => {
  test.for([
    ["without any setting", {}, {}],
    ["when the environment names an account", { AzureWebJobsStorage: "an account" }, { AzureWebJobsStorage: emulator }],
    ["when the setting that wins does", { STREAMKIT_STORAGE: "an account" }, { AzureWebJobsStorage: emulator }],
    ["when there is an identity", { AzureWebJobsStorage__accountName: "a" }, { AzureWebJobsStorage: emulator }],
  ] as const)("%s", ([, env, local]) => {
    expect(needsEmulator(env, local)).toBe(false);
  });
});

describe("the emulator", () => {
  let location: string;
  let ports: EmulatorPorts;
  const begun: Child[] = [];
  beforeEach(async () => {
    location = await mkdtemp(join(tmpdir(), "emulator-"));
    const [blob, queue, table] = [await freePort(), await freePort(), await freePort()];
    ports = { blob, queue, table };
  });
  afterEach(async () => {
    await Promise.all(begun.map((child) => child.stop()));
    begun.length = 0;
    await rm(location, { recursive: true });
  });

  const provide = async (): Promise<{ child: Child | undefined; said: string }> => {
    const said: string[] = [];
    const child = await provideEmulator({
      location,
      ports,
      begun: (one) => begun.push(one),
      print: (line) => said.push(line),
    });
    return { child, said: said.join("\n") };
  };

  test("is started once; who finds it running is told that it is not theirs", async () => {
    const first = await provide();
    expect(first.child).toBe(begun[0]);
    expect(first.said).toBe(
      `Storage: Azurite, with its data in ${location}, until this npm start ends: also for others that use it.`,
    );
    const second = await provide();
    expect(second.child).toBeUndefined();
    expect(second.said).toBe(
      `Storage: the emulator that listens on ports ${ports.queue} and ${ports.table}, until whoever started it ends it.`,
    );
    expect(begun).toHaveLength(1);
  });

  test("that two start at once is one's, and the other says so", async () => {
    const both = await Promise.all([provide(), provide()]);
    const owners = both.filter(({ child }) => child !== undefined);
    expect(owners).toHaveLength(1);
    const [other] = both.filter(({ child }) => child === undefined);
    expect(other?.said).toContain("Storage: another npm start was a moment faster: the emulator that listens on");
    expect(owners[0]?.child?.running).toBe(true);
  });

  test("does not start where something else listens", async () => {
    const server = createServer().listen(ports.blob, "127.0.0.1");
    await once(server, "listening");
    try {
      await expect(provide()).rejects.toThrow(`Port ${ports.blob}, which Azurite needs, is in use by something else.`);
      expect(begun).toEqual([]);
    } finally {
      server.close();
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
