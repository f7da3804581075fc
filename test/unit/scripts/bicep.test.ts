// Where the compiler of the templates comes from, and how it is asked. A program of a few lines stands for it here;
// `npm run check` asks the real one.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findCompiler, leftOut } from "../../../scripts/bicep/compiler.ts";
import { BicepServer } from "../../../scripts/bicep/rpc.ts";

let root: string;
let bin: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "streamkit-bicep-"));
  bin = join(root, "bin");
  mkdirSync(bin);
  mkdirSync(join(root, "scripts/bicep"), { recursive: true });
  writeFileSync(join(root, "scripts/bicep/compiler.csproj"), "<BicepVersion>1.2.3</BicepVersion>");
});
afterEach(() => rmSync(root, { recursive: true }));

/** Puts a program on the path. */
function program(name: string, script: string): string {
  const path = join(bin, name);
  writeFileSync(path, `#!${process.execPath}\n${script}`);
  chmodSync(path, 0o755);
  return path;
}

const find = () => findCompiler(root, { PATH: bin });

describe("the compiler", () => {
  test("is the one on the path, when it is of the version that is named", () => {
    program("bicep", 'console.log("Bicep CLI version 1.2.3 (abc)")');
    expect(find()).toEqual({ kind: "found", path: "bicep", version: "1.2.3" });
  });

  test("is restored where the path has another version, and then found without being restored again", () => {
    program("bicep", 'console.log("Bicep CLI version 1.2.30 (abc)")');
    const restores = program(
      "dotnet",
      `const { mkdirSync, writeFileSync } = require("node:fs");
       const { dirname, join } = require("node:path");
       const rid = /CommandLine\\.(.+)$/.exec(process.argv.at(-1))[1];
       const tool = join(dirname(process.argv[3]), "packages/azure.bicep.commandline." + rid, "1.2.3/tools/bicep");
       mkdirSync(dirname(tool), { recursive: true });
       writeFileSync(tool, "");`,
    );
    const found = find();
    expect(found).toMatchObject({ kind: "found", version: "1.2.3" });
    expect(dirname(found.kind === "found" ? found.path : "")).toContain(join(root, ".cache/bicep/packages"));
    rmSync(restores);
    expect(find()).toEqual(found);
  });

  test("is missing where there is neither, and where it cannot be restored, with the reason", () => {
    expect(find()).toMatchObject({ kind: "missing", why: expect.stringContaining("`dotnet`") as string });
    program("dotnet", 'console.log("error NU1301: no such feed\\nmore"); process.exitCode = 1;');
    expect(find()).toMatchObject({ kind: "missing", why: "error NU1301: no such feed" });
  });

  test("that is missing is one line for a person, and a failure of an automated run", () => {
    const missing = { kind: "missing", version: "1.2.3", why: "no feed" } as const;
    expect(leftOut(missing, {})).toEqual({
      line: "infra/ was not checked: there is no Bicep 1.2.3: no feed. A .NET SDK on the path is enough.",
      exitCode: 0,
    });
    expect(leftOut(missing, { CI: "true" }).exitCode).toBe(1);
  });
});

describe("a question to the compiler", () => {
  /** Answers by `answer`, an expression of the question, in as many pieces as it has bytes. */
  const server = (answer: string): BicepServer =>
    new BicepServer(
      program(
        "bicep",
        `let text = "";
         process.stdin.on("data", (bytes) => {
           text += bytes;
           const body = text.slice(text.indexOf("{"));
           try { JSON.parse(body); } catch { return; }
           text = "";
           const question = JSON.parse(body);
           const out = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: question.id, ...(${answer}) }));
           process.stdout.write("Content-Length: " + out.length + "\\r\\n\\r\\n");
           for (const byte of out) process.stdout.write(Buffer.of(byte));
         });`,
      ),
      { PATH: bin },
    );

  test("has its answer, in however many pieces it comes", async () => {
    const bicep = server("{ result: { contents: question.method + ' ' + question.params.path + ' é' } }");
    expect(await bicep.ask("bicep/format", { path: "a" })).toEqual({ contents: "bicep/format a é" });
    expect(await bicep.ask("bicep/format", { path: "b" })).toEqual({ contents: "bicep/format b é" });
    await bicep.close();
  });

  test("that is refused is rejected with the compiler's words", async () => {
    const bicep = server("{ error: { message: 'no such file' } }");
    await expect(bicep.ask("bicep/format", { path: "a" })).rejects.toThrow("no such file");
    await bicep.close();
  });

  test("is rejected when the compiler ends, or never starts", async () => {
    const bicep = server("process.exit(3)");
    await expect(bicep.ask("bicep/format", { path: "a" })).rejects.toThrow("ended with 3");
    const none = new BicepServer(join(bin, "nothing"), {});
    await expect(none.ask("bicep/format", { path: "a" })).rejects.toThrow("ENOENT");
  });
});
