// The service's JSON, written and read by hand: entities, keys in URLs, errors.
//
// Promise: the output is pure ASCII (everything else as \u escapes), so that its length is its size and no charset,
// line separator or multipart parser can harm it. The reader leaves out values that are not of the port's types, and
// never guesses.

import type { Properties, Row, Value } from "./port.ts";

/**
 * The entity as a JSON object. Keys are in it for an insert, else they are in the URL; and where there is nothing else,
 * as the emulator fails at an empty object in an EGT.
 */
export function entityJson(
  properties: Properties,
  keys: { readonly partition: string; readonly row: string },
  withKeys: "with keys" | "without keys",
): string {
  const members = Object.entries(properties).map(([name, value]) => member(name, value));
  if (withKeys === "with keys" || members.length === 0) {
    members.unshift(`"PartitionKey":${jsonString(keys.partition)}`, `"RowKey":${jsonString(keys.row)}`);
  }
  return `{${members.join(",")}}`;
}

/** An upper bound of the length of `entityJson` without keys, found without writing it. */
export function entityJsonBytes(properties: Properties): number {
  let bytes = 2;
  for (const [name, value] of Object.entries(properties)) bytes += memberBytes(name, value);
  return bytes;
}

/** `(PartitionKey='..',RowKey='..')`, as it stands in a URL. */
export function keyPath(partition: string, row: string): string {
  return `(PartitionKey='${urlKey(partition)}',RowKey='${urlKey(row)}')`;
}

/** A string literal of a filter. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function jsonString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${hex4(unit.charCodeAt(0))}`);
}

/** A row of an answer in minimal metadata; undefined when it is none. `etag` of the header, where the body has none. */
export function parseRow(json: unknown, etag?: string): Row | undefined {
  if (!isObject(json)) return undefined;
  const { PartitionKey: partition, RowKey: row, Timestamp: timestamp } = json;
  const rowEtag = json["odata.etag"] ?? etag;
  if (typeof partition !== "string" || typeof row !== "string") return undefined;
  if (typeof timestamp !== "string" || typeof rowEtag !== "string") return undefined;
  const writtenAt = Date.parse(timestamp);
  if (Number.isNaN(writtenAt)) return undefined;
  const properties: Record<string, Value> = {};
  for (const [name, raw] of Object.entries(json)) {
    if (systemNames.has(name) || name.includes("odata.")) continue;
    const value = parseValue(raw, json[`${name}@odata.type`]);
    if (value !== undefined) properties[name] = value;
  }
  return { partition, row, etag: rowEtag, writtenAt, properties };
}

export interface ODataError {
  readonly code: string | undefined;
  readonly message: string;
}

/** The error of a body: `{"odata.error": {"code": .., "message": {"value": ..}}}`; empty when it is something else. */
export function parseODataError(body: string): ODataError {
  const json = parseJson(body);
  const error = isObject(json) ? json["odata.error"] : undefined;
  if (!isObject(error)) return { code: undefined, message: "" };
  const message = isObject(error["message"]) ? error["message"]["value"] : undefined;
  return {
    code: typeof error["code"] === "string" ? error["code"] : undefined,
    message: typeof message === "string" ? message : "",
  };
}

/** Undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

// `__proto__` would not become a property.
const systemNames = new Set(["PartitionKey", "RowKey", "Timestamp", "__proto__"]);
// The characters that JSON writes as they are, one byte each.
const plainPattern = /^[ !#-[\]-~]*$/;

function member(name: string, value: Value): string {
  if (typeof value === "string") return `"${name}":${jsonString(value)}`;
  if (typeof value === "bigint") return `"${name}":"${value}","${name}@odata.type":"Edm.Int64"`;
  if (typeof value === "boolean") return `"${name}":${value}`;
  return `"${name}":"${bytesOf(value).toString("base64")}","${name}@odata.type":"Edm.Binary"`;
}

function memberBytes(name: string, value: Value): number {
  // Quotes, colon, comma; and the same for the type, `@odata.type` and `Edm.Binary` with it.
  const named = name.length + 4;
  const typed = 2 * name.length + 38;
  if (typeof value === "string")
    return named + (plainPattern.test(value) ? value.length + 2 : jsonString(value).length);
  if (typeof value === "bigint") return typed + 20;
  if (typeof value === "boolean") return named + 5;
  return typed + 4 * Math.ceil(value.byteLength / 3);
}

function parseValue(raw: unknown, type: unknown): Value | undefined {
  if (typeof raw === "boolean") return raw;
  if (typeof raw !== "string") return undefined;
  switch (type) {
    case undefined:
    case "Edm.String":
      return raw;
    case "Edm.Int64":
      return /^-?\d{1,19}$/.test(raw) ? BigInt(raw) : undefined;
    case "Edm.Binary": {
      const buffer = Buffer.from(raw, "base64");
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    }
    default:
      return undefined;
  }
}

function urlKey(key: string): string {
  // encodeURIComponent leaves ' ( ) as they are: a quote is doubled in OData, and escaped because URLs may normalise
  // it.
  return encodeURIComponent(key).replaceAll("'", "%27%27");
}

function bytesOf(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function hex4(unit: number): string {
  return unit.toString(16).padStart(4, "0");
}
