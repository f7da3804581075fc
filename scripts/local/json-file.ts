// A file of JSON as the host reads it: comments, and commas before a closing bracket, are passed over.

import { readFileSync } from "node:fs";

/** Undefined when there is no such file. Throws the parser's own error. */
export function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return JSON.parse(plain(text.replace(/^\uFEFF/, "")));
}

const string = String.raw`"(?:[^"\\]|\\.)*"`;
const comments = new RegExp(String.raw`(${string})|//[^\r\n]*|/\*[^]*?\*/`, "g");
const lastCommas = new RegExp(String.raw`(${string})|,(?=\s*[\]}])`, "g");

function plain(text: string): string {
  return text
    .replace(comments, (_, kept: string | undefined) => kept ?? " ")
    .replace(lastCommas, (_, kept: string | undefined) => kept ?? "");
}
