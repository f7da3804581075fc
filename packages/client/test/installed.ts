// The package as a user has it: packed, and installed into an empty project. And a program that uses it.

import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
export const packageRoot = join(import.meta.dirname, "..");

export interface Installed {
  /** The project that it is installed in. */
  readonly project: string;
  readonly tarball: string;
}

export async function installClient(project: string): Promise<Installed> {
  await mkdir(project, { recursive: true });
  await writeFile(join(project, "package.json"), '{ "name": "user", "private": true }\n');
  await run("npm", ["run", "build"], { cwd: packageRoot });
  const packed = await run("npm", ["pack", "--json", "--pack-destination", project], { cwd: packageRoot });
  const name = /"filename": "([^"]+)"/.exec(packed.stdout)?.[1];
  if (name === undefined) throw new Error(`npm names no tarball: ${packed.stdout}`);
  const tarball = join(project, name);
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project });
  return { project, tarball };
}

/** Defines `use(url, key)`, which appends, follows and is refused, and gives `used`. */
export const program = `
  const use = async (url, key) => {
    const store = new StreamkitClient(url, { key }).getStoreClient(crypto.randomUUID());
    const segment = store.getSpaceClient("orders").getSegmentClient("1");
    await segment.append([{ payload: { n: 1 } }, { payload: { n: 2 } }], { expected: "none" });
    const seen = [];
    for await (const { payload } of segment.follow({ limit: 2 })) seen.push(payload.n);
    const refused = await segment.append({ payload: 3 }, { expected: 1 }).catch((error) => error);
    const large = store.getSpaceClient("bytes", { codec: bytes() }).getSegmentClient("1");
    await large.append({ payload: new Uint8Array(100_000).fill(7) });
    for await (const { payload } of large.read()) seen.push(payload.byteLength, payload[99_999]);
    return [seen.join(), isStreamkitError(refused, "sequence_mismatch")].join(" ");
  };
`;
export const used = "1,2,100000,7 true";

/** The first line of a program, by the form of its modules. */
export const imports = {
  mjs: 'import { bytes, isStreamkitError, StreamkitClient } from "streamkit-client";',
  cjs: 'const { bytes, isStreamkitError, StreamkitClient } = require("streamkit-client");',
};

/** What the program says on this Node.js. */
export async function runProgram(
  { project }: Installed,
  form: keyof typeof imports,
  node: string,
  app: { readonly url: string; readonly key: string },
): Promise<string> {
  const name = `user.${form}`;
  await writeFile(
    join(project, name),
    `${imports[form]}\n${program}\nuse(...process.argv.slice(2)).then(console.log);\n`,
  );
  const { stdout } = await run(node, [name, app.url, app.key], { cwd: project });
  return stdout.trim();
}
