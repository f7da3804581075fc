// Reads the values of a row by name and kind. A row without the value, or of a later format, is an error.

import { corruptData, NewerFormat, StoreError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Row } from "./port.ts";

/** The property that names the format of a row. */
export const formatProperty = "v";

/** A row of a later format is not ours to read or rewrite. */
export function checkRowFormat(row: Row, known: bigint, what: string): void {
  const format = row.properties[formatProperty];
  if (typeof format !== "bigint" || format < 1n) throw corruptData(`${what} has no format version`);
  if (format > known) throw new NewerFormat(what, format, known);
}

/** A number that JavaScript holds exactly, within both bounds. */
export function numberIn(row: Row, name: string, min = 0, max: number = limits.sequenceMax): number {
  const value = row.properties[name];
  if (typeof value === "bigint" && value >= BigInt(min) && value <= BigInt(max)) return Number(value);
  throw damaged(row, name);
}

export function textIn(row: Row, name: string): string {
  const value = row.properties[name];
  if (typeof value === "string") return value;
  throw damaged(row, name);
}

export function bytesIn(row: Row, name: string): Uint8Array {
  const value = row.properties[name];
  if (value instanceof Uint8Array) return value;
  throw damaged(row, name);
}

/** A UUID, stored as the 16 bytes that it is: text would take four times as many. */
export function uuidIn(row: Row, name: string): string {
  const value = bytesIn(row, name);
  if (value.byteLength !== 16) throw damaged(row, name);
  return Buffer.from(value)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The same decoder, or one that answers later: damage that it meets is told with the row where it is. */
export function decoder<Rest extends unknown[], Result>(
  decode: (row: Row, ...rest: Rest) => Result,
): (row: Row, ...rest: Rest) => Result {
  return (row, ...rest) => {
    const located = (error: unknown): never => {
      throw error instanceof StoreError && error.code === "corrupt_data" ? inRow(row, error) : error;
    };
    try {
      const result = decode(row, ...rest);
      return result instanceof Promise ? (result.catch(located) as Result) : result;
    } catch (error) {
      return located(error);
    }
  };
}

function inRow({ partition, row }: Row, error: StoreError): StoreError {
  return new StoreError("corrupt_data", `${error.message} It is in partition ${partition}, row ${row}.`, {
    cause: error,
  });
}

function damaged(row: Row, name: string): StoreError {
  return corruptData(`property ${name} of row ${row.row}`);
}
