// The package as it is deployed, unpacked where no library of the project can be found.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";
import { installedTargets } from "../../scripts/native.ts";
import { makePackage, type PackageReport } from "../../scripts/package.ts";

export const projectRoot = join(import.meta.dirname, "../..");

export interface Unpacked {
  /** A folder outside of the project, for whatever else the test makes. */
  readonly folder: string;
  readonly appRoot: string;
  readonly zip: Buffer;
  readonly report: PackageReport;
  remove(): Promise<void>;
}

export async function unpackedApp(): Promise<Unpacked> {
  const folder = await mkdtemp(join(tmpdir(), "streamkit-unpacked-"));
  const out = join(folder, "package.zip");
  const report = await makePackage({ root: projectRoot, out, targets: await installedTargets(projectRoot) });
  const zip = await readFile(out);
  const appRoot = join(folder, "app");
  for (const [path, content] of Object.entries(unzipSync(zip))) {
    await mkdir(dirname(join(appRoot, path)), { recursive: true });
    await writeFile(join(appRoot, path), content);
  }
  return { folder, appRoot, zip, report, remove: () => rm(folder, { recursive: true, force: true }) };
}
