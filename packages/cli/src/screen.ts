// Output: tables, entries and progress for people, JSON for scripts.
//
// Promise: with --json stdout holds JSON and nothing else. Colours only on a terminal, and never with NO_COLOR or
// --no-color.

import { SingleBar } from "cli-progress";
import Table from "cli-table3";
import { styleText } from "node:util";
import type { Entry } from "streamkit-client";
import { entryLine, oneLine, payloadText } from "./payloads.ts";
import { print } from "./shell.ts";
import type { Shell } from "./shell.ts";
import { countText, timeText } from "./times.ts";

type Style = Parameters<typeof styleText>[0];

export interface ScreenOptions {
  readonly json: boolean;
  readonly color: boolean;
}

export interface Progress {
  add(count: number): void;
  stop(): void;
}

export class Screen {
  readonly json: boolean;
  readonly #shell: Shell;
  readonly #coloured: boolean;

  constructor(shell: Shell, { json, color }: ScreenOptions) {
    this.#shell = shell;
    this.json = json;
    const { NO_COLOR: unwanted = "" } = shell.env;
    this.#coloured = color && unwanted === "" && shell.stdout.isTTY === true;
  }

  /** For people alone: scripts have the exit code. */
  async say(sentence: string): Promise<void> {
    if (!this.json) await this.#line(sentence);
  }

  /** One answer: as JSON, or as lines of name and value. */
  async fields(fields: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.json) {
      await this.#line(JSON.stringify(fields));
      return;
    }
    const shown = Object.entries(fields).filter(([, value]) => value !== undefined);
    const width = Math.max(...shown.map(([name]) => name.length));
    for (const [name, value] of shown)
      await this.#line(`${this.#style("dim", name.padEnd(width))}  ${valueText(name, value)}`);
  }

  /** Many of the same: a line of JSON each, or a table. */
  async rows(
    columns: readonly string[],
    rows: readonly Readonly<Record<string, unknown>>[],
    none: string,
  ): Promise<void> {
    if (this.json) {
      for (const row of rows) await this.#line(JSON.stringify(row));
      return;
    }
    if (rows.length === 0) {
      await this.#line(none);
      return;
    }
    const bare = Object.fromEntries(
      ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"]
        .concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid"])
        .map((place) => [place, ""]),
    );
    const table = new Table({
      head: columns.map((column) => this.#style("dim", column)),
      chars: { ...bare, middle: "  " },
      style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
      colAligns: columns.map((column) =>
        rows.every((row) => typeof row[column] === "number" && !isTime(column)) ? "right" : "left",
      ),
    });
    table.push(...rows.map((row) => columns.map((column) => valueText(column, row[column]))));
    await this.#line(table.toString().replace(/ +$/gm, ""));
  }

  async name(name: string, field: string): Promise<void> {
    await this.#line(this.json ? JSON.stringify({ [field]: name }) : oneLine(name));
  }

  async entry(entry: Entry<Uint8Array>): Promise<void> {
    if (this.json) {
      await this.#line(JSON.stringify(entryLine(entry)));
      return;
    }
    const { timestamp, segment, sequence, metadata, payload } = entry;
    const beside = Object.entries(metadata).map(([key, value]) => ` ${oneLine(`${key}=${value}`)}`);
    const place = `${oneLine(segment)} ${sequence}`;
    await this.#line(
      `${this.#style("dim", timeText(timestamp))} ${this.#style("cyan", place)} ${payloadText(payload)}${this.#style("dim", beside.join(""))}`,
    );
  }

  /**
   * A bar with rate and estimate, on the terminal of a person; else nothing. `total` undefined: how much there is
   * nobody knows.
   */
  progress(what: string, total: number | undefined): Progress {
    if (this.#shell.stderr.isTTY !== true || this.json) return { add: () => undefined, stop: () => undefined };
    const ended = total === undefined ? "" : " {bar} {percentage}% of {total}, {eta_formatted} left";
    const bar = new SingleBar({
      format: `${what} {value} ({rate} a second)${ended}`,
      stream: process.stderr,
      hideCursor: true,
      barsize: 20,
      etaBuffer: 50,
    });
    const startedAt = performance.now();
    let done = 0;
    bar.start(total ?? 0, 0, { rate: 0 });
    return {
      add(count) {
        done += count;
        bar.update(done, { rate: countText(Math.round((done * 1_000) / Math.max(1, performance.now() - startedAt))) });
      },
      stop: () => bar.stop(),
    };
  }

  async #line(text: string): Promise<void> {
    await print(this.#shell.stdout, `${text}\n`);
  }

  #style(style: Style, text: string): string {
    return this.#coloured ? styleText(style, text, { validateStream: false }) : text;
  }
}

function isTime(name: string): boolean {
  return /(At|Timestamp|Since|Until|removedFrom)$/.test(name);
}

function valueText(name: string, value: unknown): string {
  if (value === undefined || value === null) return "-";
  if (typeof value === "number") return isTime(name) ? timeText(value) : countText(value);
  if (typeof value === "string") return oneLine(value);
  return JSON.stringify(value);
}
