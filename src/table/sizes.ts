// The service's rules on size and form, checked before anything is sent: the emulator does not enforce them, and a
// commit that Azure alone refuses would be found in production. Both sides of the port use these checks.
//
// Promise: pure. A request that passes is within the service's documented limits.

import { limits } from "../core/limits.ts";
import { entityJsonBytes, keyPath } from "./odata.ts";
import { TableFailure, type Properties, type Value, type Write } from "./port.ts";

/** Azure: properties of an entity besides keys and Timestamp. */
export const propertiesMax = 252;
/** Azure: characters of a property's name. */
const propertyNameCharactersMax = 255;
/** Around one operation of an EGT: its MIME and HTTP headers, the URL of the table (custom endpoints included). */
const operationOverheadBytes = 700;
/** The outer boundaries of an EGT. */
const batchOverheadBytes = 300;

/** Throws what is wrong with a submit, as a TableFailure without effect. */
export function checkSubmit(partition: string, writes: readonly Write[]): void {
  if (writes.length === 0) throw rejected("a submit of no writes");
  if (writes.length > limits.batchOperationsMax) {
    throw tooLarge(`${writes.length} writes in one submit; at most ${limits.batchOperationsMax}`);
  }
  checkKey("PartitionKey", partition);
  const rows = new Set<string>();
  for (const write of writes) {
    checkKey("RowKey", write.row);
    if (rows.has(write.row)) throw rejected(`row ${write.row} twice in one submit`);
    rows.add(write.row);
    if (write.kind !== "delete") checkEntity(partition, write.row, write.properties);
    // An ETag goes into a header line.
    if ("ifMatch" in write && !/^[!-~]+$/.test(write.ifMatch)) throw rejected("an ETag that no service gave");
  }
  const bytes = submitBytes(partition, writes);
  if (bytes > limits.batchBytesMax) {
    throw tooLarge(`about ${bytes} bytes in one submit; at most ${limits.batchBytesMax}`);
  }
}

/** Keys of a read: what no row can have is a mistake of the caller. */
export function checkKey(name: string, key: string): void {
  if (key.length > limits.keyCharactersMax) {
    throw tooLarge(`${name} has ${key.length} characters; at most ${limits.keyCharactersMax}`);
  }
  if (/[/\\#?\u0000-\u001f\u007f-\u009f]/.test(key) || !key.isWellFormed()) {
    throw rejected(`${name} has a character that the service refuses`);
  }
}

export function checkTop(top: number | undefined): void {
  if (top !== undefined && !(Number.isInteger(top) && top >= 1 && top <= limits.pageRowsMax)) {
    throw rejected(`a page of ${top} rows; 1 to ${limits.pageRowsMax}`);
  }
}

export function checkTableName(name: string): void {
  if (!/^[A-Za-z][A-Za-z0-9]{2,62}$/.test(name)) throw rejected("a table name that is not 3 to 63 letters and digits");
}

/**
 * The size of an entity by the service's own formula, bytes: UTF-16 keys, names and strings, 8 a property, 4 a length.
 */
export function entityBytes(partition: string, row: string, properties: Properties): number {
  let bytes = 4 + 2 * (partition.length + row.length);
  for (const [name, value] of Object.entries(properties)) bytes += 8 + 2 * name.length + valueBytes(value);
  return bytes;
}

/** An upper bound of the request body of a submit, bytes, base64 included: what a plan of an EGT adds up. */
export function submitBytes(partition: string, writes: readonly Write[]): number {
  return writes.reduce((sum, write) => sum + writeBytes(partition, write), batchOverheadBytes);
}

/** The share of one write in `submitBytes`. */
export function writeBytes(partition: string, write: Write): number {
  // Keys are in the URL, or in the JSON, or (nothing else in it) in both; the URL's form is never the shorter one.
  const keys = 2 * keyPath(partition, write.row).length;
  const etag = "ifMatch" in write ? write.ifMatch.length : 0;
  return operationOverheadBytes + keys + etag + (write.kind === "delete" ? 0 : entityJsonBytes(write.properties));
}

function checkEntity(partition: string, row: string, properties: Properties): void {
  const entries = Object.entries(properties);
  if (entries.length > propertiesMax) {
    throw tooLarge(`row ${row} has ${entries.length} properties; at most ${propertiesMax}`);
  }
  for (const [name, value] of entries) {
    checkPropertyName(name);
    checkValue(name, value);
  }
  const bytes = entityBytes(partition, row, properties);
  if (bytes > limits.entityBytesMax) {
    throw tooLarge(`row ${row} has ${bytes} bytes; at most ${limits.entityBytesMax}`);
  }
}

function checkPropertyName(name: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name === "__proto__" || name.length > propertyNameCharactersMax) {
    throw rejected("a property name that is not an identifier");
  }
  if (name === "PartitionKey" || name === "RowKey" || name === "Timestamp") {
    throw rejected(`a property with the service's own name ${name}`);
  }
}

function checkValue(name: string, value: Value): void {
  if (typeof value === "string") {
    if (value.length > limits.propertyBytesMax / 2) {
      throw tooLarge(`${name} has ${value.length} characters; at most ${limits.propertyBytesMax / 2}`);
    }
    if (!value.isWellFormed()) throw rejected(`${name} is not well-formed Unicode`);
  } else if (typeof value === "bigint") {
    if (BigInt.asIntN(64, value) !== value) throw rejected(`${name} does not fit 64 bits`);
  } else if (typeof value !== "boolean" && value.byteLength > limits.propertyBytesMax) {
    throw tooLarge(`${name} has ${value.byteLength} bytes; at most ${limits.propertyBytesMax}`);
  }
}

function valueBytes(value: Value): number {
  if (typeof value === "string") return 4 + 2 * value.length;
  if (typeof value === "bigint") return 8;
  if (typeof value === "boolean") return 1;
  return 4 + value.byteLength;
}

function tooLarge(what: string): TableFailure {
  return new TableFailure("too_large", `Not sent: ${what}.`, { effect: "none" });
}

function rejected(what: string): TableFailure {
  return new TableFailure("rejected", `Not sent: ${what}.`, { effect: "none" });
}
