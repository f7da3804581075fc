// The calls that a driver makes to the app, with everything that can become of them as a value.

import type { Effect } from "../../src/core/errors.ts";
import type { Place, ReadEntry } from "./ledger.ts";

export type Answer =
  | { readonly kind: "ok"; readonly json: unknown }
  | { readonly kind: "problem"; readonly problem: Problem }
  /** No answer, or only a part of one: whoever gave it is gone, or took too long. */
  | { readonly kind: "broken"; readonly why: string };

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly effect?: Effect;
  readonly detail: string;
  readonly received?: number;
  readonly winner?: string;
  readonly retryAfterMs?: number;
}

/** A call that is not answered by then is given up by its caller. */
const patienceMs = 30_000;

export async function call(url: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) });
    const text = await response.text();
    if (response.ok) return { kind: "ok", json: text === "" ? undefined : JSON.parse(text) };
    const retryAfter = response.headers.get("retry-after");
    const problem = JSON.parse(text) as Problem;
    const wait = retryAfter === null ? {} : { retryAfterMs: Number(retryAfter) * 1_000 };
    return { kind: "problem", problem: { ...problem, ...wait, status: response.status } };
  } catch (error) {
    const { cause, message } = error as Error;
    return { kind: "broken", why: cause instanceof Error ? cause.message : message };
  }
}

export interface ProduceCall {
  readonly texts: readonly string[];
  /** The first record's sequence; absent: at the tail. */
  readonly sequence?: number;
}

export class StoreCalls {
  readonly #root: string;

  constructor(appUrl: string, store: string) {
    this.#root = `${appUrl}/v1/stores/${store}`;
  }

  produce(space: string, segment: string, { texts, sequence }: ProduceCall, options: PostOptions): Promise<Answer> {
    const records = texts.map((payload, index) =>
      sequence === undefined ? { payload } : { sequence: sequence + index, payload },
    );
    return this.#post(`${this.#segment(space, segment)}/records`, { records }, options);
  }

  produceAll(
    space: string,
    segments: readonly (ProduceCall & { segment: string })[],
    options: PostOptions,
  ): Promise<Answer> {
    const body = {
      segments: segments.map(({ segment, texts }) => ({ segment, records: texts.map((payload) => ({ payload })) })),
    };
    return this.#post(`${this.#space(space)}/transactions`, body, options);
  }

  /** One page of a space after a cursor; waits a little when there is nothing. */
  page(space: string, offset: string, limit: number, waitSeconds: number): Promise<Answer> {
    const after = offset === "" ? "" : `&offset=${offset}`;
    return call(`${this.#space(space)}/entries?encoding=text&limit=${limit}&wait=${waitSeconds}${after}`);
  }

  segment(space: string, segment: string, from: number, to: number): Promise<Answer> {
    return call(`${this.#segment(space, segment)}/entries?encoding=text&limit=10000&from=${from}&to=${to}`);
  }

  /** All names in the inventory. */
  async segments(space: string): Promise<string[]> {
    return lines(`${this.#space(space)}/segments`) as Promise<string[]>;
  }

  async spaces(): Promise<string[]> {
    return lines(`${this.#root}/spaces`) as Promise<string[]>;
  }

  /** Everything, as a stream gives it. */
  async all(space: string, segment?: string): Promise<ReadEntry[]> {
    const path = segment === undefined ? this.#space(space) : this.#segment(space, segment);
    const read = await lines(`${path}/entries?encoding=text`);
    if (!isObject(read.at(-1)) || !("next" in (read.at(-1) as object)))
      throw new Error("A stream ended without its last line.");
    return read.slice(0, -1) as ReadEntry[];
  }

  #post(url: string, body: unknown, { key, ack }: PostOptions): Promise<Answer> {
    const headers = { "content-type": "application/json", ...(key === undefined ? {} : { "idempotency-key": key }) };
    return call(`${url}?encoding=text&ack=${ack}`, { method: "POST", headers, body: JSON.stringify(body) });
  }

  #space(space: string): string {
    return `${this.#root}/spaces/${encodeURIComponent(space)}`;
  }

  #segment(space: string, segment: string): string {
    return `${this.#space(space)}/segments/${encodeURIComponent(segment)}`;
  }
}

export interface PostOptions {
  readonly key: string | undefined;
  readonly ack: "applied" | "committed";
}

/** The places of a produce's chunks, or of a transaction's segments. */
export function placesOf(json: unknown): { readonly places: readonly Place[]; readonly duplicate: boolean } {
  const answer = json as { transactions?: Told[]; segments?: { transaction: Told }[] };
  const told = answer.transactions ?? answer.segments?.map(({ transaction }) => transaction) ?? [];
  return {
    places: told.map(({ id, number, firstSequence, lastSequence }) => ({ id, number, firstSequence, lastSequence })),
    duplicate: told.some(({ duplicate }) => duplicate),
  };
}

type Told = Place & { readonly duplicate: boolean };

export function pageOf(json: unknown): { readonly entries: readonly ReadEntry[]; readonly next: string } {
  return json as { entries: ReadEntry[]; next: string };
}

async function lines(url: string): Promise<unknown[]> {
  const response = await fetch(url, {
    headers: { accept: "application/x-ndjson" },
    signal: AbortSignal.timeout(2 * patienceMs),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text}`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
