// A claim: a worker gets it for a partition that it holds, and gives it back with its next call: opaque to it. It
// carries the row as it was written last, so that any instance can write what comes next without reading it: the ETag
// proves that the row is still that.

import type { StoreError } from "../core/errors.ts";
import { invalidArgument } from "../core/errors.ts";
import { parseInteger } from "../core/ids.ts";
import type { Properties, Row } from "../table/port.ts";
import type { Claimed } from "./decide.ts";

export interface Claim extends Claimed {
  readonly life: string;
  readonly revision: number;
  readonly partition: number;
  /** When all rows of the consumer were read last, by the storage's time. */
  readonly lookedAt: number;
  readonly etag: string;
  readonly properties: Properties;
}

export function encodeClaim({ properties, ...claim }: Claim): string {
  const row = Object.entries(properties).map(([name, value]) => [name, ...plainOf(value)]);
  return Buffer.from(JSON.stringify({ ...claim, row })).toString("base64url");
}

/** `invalid_argument` for what no call has answered. */
export function decodeClaim(text: string): Claim {
  try {
    const parsed = JSON.parse(Buffer.from(text, "base64url").toString()) as Readonly<Record<string, unknown>>;
    const { life, etag, row } = parsed;
    if (typeof life !== "string" || typeof etag !== "string" || !Array.isArray(row)) throw notAClaim();
    const number = (name: string): number => parseInteger(name, parsed[name], 0);
    return {
      ...{ life, etag, properties: Object.fromEntries((row as unknown[]).map(propertyOf)) },
      ...{ revision: number("revision"), partition: number("partition"), token: number("token") },
      ...{ delivery: number("delivery"), lookedAt: number("lookedAt") },
    };
  } catch {
    throw notAClaim();
  }
}

/** The row that the claim carries. */
export function rowOf({ etag, properties }: Claim, partition: string, row: string): Row {
  return { partition, row, etag, writtenAt: 0, properties };
}

function notAClaim(): StoreError {
  return invalidArgument("claim", "a claim as the last call of this worker answered it");
}

function plainOf(value: Properties[string]): readonly [string, string | boolean] {
  if (typeof value === "bigint") return ["i", value.toString()];
  if (value instanceof Uint8Array) return ["b", Buffer.from(value).toString("base64")];
  return typeof value === "string" ? ["s", value] : ["t", value];
}

function propertyOf(plain: unknown): readonly [string, Properties[string]] {
  const [name, kind, value] = plain as readonly [string, string, string | boolean];
  switch (kind) {
    case "i":
      return [name, BigInt(value)];
    case "b":
      return [name, Buffer.from(String(value), "base64")];
    case "s":
      return [name, String(value)];
    default:
      return [name, value === true];
  }
}
