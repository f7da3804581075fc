import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findTools } from "../../../scripts/local/tools.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tools-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function install(name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, "");
  await chmod(path, 0o755);
  return path;
}

test("the tools are called where they are, wherever on the path that is", async () => {
  const path = await install("func");
  expect(findTools(7072, ["/nowhere", folder].join(delimiter), "linux")).toEqual({
    command: path,
    args: ["start", "--port", "7072"],
    shell: false,
  });
});

test("no tools, no command", () => {
  expect(findTools(7071, folder, "linux")).toBeUndefined();
  expect(findTools(7071, "", "win32")).toBeUndefined();
});

test("on Windows a batch file, as npm installs it, is run by the shell, and a program is not", async () => {
  const batch = await install("func.cmd");
  expect(findTools(7071, folder, "win32")).toEqual({ command: `"${batch}" start --port 7071`, args: [], shell: true });
  const program = await install("func.exe");
  expect(findTools(7071, folder, "win32")).toMatchObject({ command: program, shell: false });
});
