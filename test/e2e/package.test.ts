import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, expect, test } from "vitest";
import own from "../../package.json" with { type: "json" };
import { installedTargets, nativeLock, type Lock } from "../../scripts/native.ts";
import { makePackage, packageBytesMax } from "../../scripts/package.ts";
import { startApp } from "./harness.ts";
import { projectRoot, type Unpacked, unpackedApp } from "./unpacked.ts";

let unpacked: Unpacked;
beforeAll(async () => {
  unpacked = await unpackedApp();
});
afterAll(() => unpacked.remove());

test("the package alone starts, takes records and gives them back, and says everywhere which version it is", async () => {
  const app = await startApp({ appRoot: unpacked.appRoot });
  try {
    const segment = `${app.url}/v1/stores/${randomUUID()}/spaces/orders/segments/order-1`;
    const produced = await fetch(`${segment}/records?encoding=json`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"records":[{"payload":{"item":"tea"}},{"payload":{"item":"milk"}}]}',
    });
    expect(produced.status, app.logs()).toBe(200);
    const consumed = await fetch(`${segment}/entries?encoding=json`);
    expect(await consumed.json()).toMatchObject({
      entries: [
        { sequence: 1, payload: { item: "tea" } },
        { sequence: 2, payload: { item: "milk" } },
      ],
    });
    const json = async (path: string): Promise<unknown> => (await fetch(app.url + path)).json();
    expect(await json("/health")).toMatchObject({ version: own.version });
    expect(await json("/openapi.json")).toMatchObject({ info: { version: own.version } });
  } finally {
    await app.stop();
  }
});

test("it holds what runs and nothing else, within the size that is promised", () => {
  const { report, zip } = unpacked;
  const places = new Set(report.files.map((path) => path.split("/").slice(0, 2).join("/")));
  expect([...places].filter((place) => !place.startsWith("dist/")).sort()).toEqual([
    "LICENSE",
    "host.json",
    "node_modules/@mongodb-js",
    "package.json",
  ]);
  expect(report.files.filter((path) => /\.(map|ts)$|settings|dist\/local/.test(path))).toEqual([]);
  expect(Object.keys(unzipSync(zip)).sort()).toEqual([...report.files].sort());
  expect(zip.byteLength).toBe(report.bytes);
  expect(report.bytes).toBeLessThanOrEqual(packageBytesMax);
});

test("the package names its version and its functions, and needs nothing installed", () => {
  const manifest = JSON.parse(Buffer.from(unzipSync(unpacked.zip)["package.json"]!).toString()) as Record<
    string,
    unknown
  >;
  const { version } = own;
  expect(manifest).toMatchObject({ type: "module", main: "dist/functions/*.js", version });
  expect(Object.keys(manifest).filter((field) => /dependencies|scripts/i.test(field))).toEqual([]);
});

test("the same sources make the same bytes", async () => {
  const out = join(unpacked.folder, "again.zip");
  await makePackage({ root: projectRoot, out, targets: await installedTargets(projectRoot) });
  expect((await readFile(out)).equals(unpacked.zip)).toBe(true);
});

test("a processor that must be in it and cannot be had stops the packaging; one that may be missing is named", async () => {
  const out = join(unpacked.folder, "none.zip");
  const targets = ["solaris-sparc-gnu"];
  await expect(makePackage({ root: projectRoot, out, targets })).rejects.toThrow();
  const without = await makePackage({ root: projectRoot, out, targets: [], optionalTargets: targets });
  expect([...without.missing.keys()]).toEqual(targets);
  expect(without.targets).toEqual([]);
});

test("binaries for other processors are installed from the very entries of the lock", async () => {
  const lock = JSON.parse(await readFile(join(projectRoot, "package-lock.json"), "utf8")) as Lock;
  const { packages } = nativeLock(lock).lock;
  for (const target of ["linux-x64-gnu", "linux-arm64-gnu"]) {
    const path = `node_modules/@mongodb-js/zstd-${target}`;
    expect(packages[path]).toEqual(lock.packages[path]);
    expect(packages[path]).toMatchObject({ integrity: expect.stringMatching(/^sha512-/) as string });
  }
});
