// What a run prints: the machine, and a table for each measure.

import { readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { Figure } from "./measure.ts";
import { isMet } from "./measure.ts";

export interface Machine {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly text: string;
}

const libraries = [
  "azurite",
  "@azure/data-tables",
  "@azure/core-rest-pipeline",
  "@azure/functions",
  "@mongodb-js/zstd",
];

export function describeMachine(): Machine {
  const processors = cpus();
  const memory = Math.round(totalmem() / 1024 ** 3);
  const model = processors[0]?.model.trim() ?? "unknown processor";
  const machine = `${processors.length} x ${model}, ${memory} GiB, ${platform()} ${release()} ${arch()}`;
  const { resolve } = createRequire(import.meta.url);
  const paths = resolve.paths("azurite") ?? [];
  const versionOf = (library: string): string => {
    for (const path of paths) {
      try {
        const json = JSON.parse(readFileSync(join(path, library, "package.json"), "utf8")) as { version: string };
        return json.version;
      } catch {
        // Not in this folder.
      }
    }
    return "unknown";
  };
  const versions = {
    node: process.version,
    ...Object.fromEntries(libraries.map((library) => [library, versionOf(library)])),
  };
  const listed = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return { machine, versions, text: `${machine}\n${listed.join(", ")}` };
}

export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [figure.what, shown(figure.value), figure.unit, goalOf(figure)]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([what = "", value = "", unit = "", goal = ""]) => {
      const cells = [what.padEnd(widths[0] ?? 0), value.padStart(widths[1] ?? 0), unit.padEnd(widths[2] ?? 0), goal];
      return `  ${cells.join("  ").trimEnd()}`;
    })
    .join("\n");
}

function shown(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 4;
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

function goalOf(figure: Figure): string {
  const { goal } = figure;
  if (goal === undefined) return "";
  const bound = "atLeast" in goal ? `goal: at least ${goal.atLeast}` : `goal: at most ${goal.atMost}`;
  return isMet(figure) === true ? bound : `${bound}  MISSED`;
}
