// Requests that write, as bytes on the wire: one write alone, or an entity-group transaction as a multipart body. And
// the multipart answer, read back part by part.
//
// By hand, because the SDK builds every operation of an EGT with a client of its own, several times as slow, and cannot
// delete under If-Match inside one.

import { entityJson, keyPath } from "./odata.ts";
import type { Write } from "./port.ts";

export interface WireRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** After the endpoint, without a leading slash. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** ASCII. */
  readonly body?: string;
}

/** One answer inside a multipart body. */
export interface AnswerPart {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: string;
}

/** The headers of a request without a body. Minimal metadata tells the types of Int64 and Binary, and ETags. */
export const readHeaders = {
  Accept: "application/json;odata=minimalmetadata",
  DataServiceVersion: "3.0",
};

/** The headers of a request with an entity, which the service does not echo: its ETag comes in a header. */
export const jsonHeaders = { ...readHeaders, "Content-Type": "application/json", Prefer: "return-no-content" };

export function writeRequest(table: string, partition: string, write: Write): WireRequest {
  const keys = { partition, row: write.row };
  const path = `${table}${keyPath(partition, write.row)}`;
  switch (write.kind) {
    case "insert":
      return {
        method: "POST",
        path: table,
        headers: jsonHeaders,
        body: entityJson(write.properties, keys, "with keys"),
      };
    case "upsert":
      return { method: "PUT", path, headers: jsonHeaders, body: entityJson(write.properties, keys, "without keys") };
    case "replace":
      return {
        method: "PUT",
        path,
        headers: { ...jsonHeaders, "If-Match": write.ifMatch },
        body: entityJson(write.properties, keys, "without keys"),
      };
    case "delete":
      return { method: "DELETE", path, headers: { ...readHeaders, "If-Match": write.ifMatch } };
  }
}

/** `id`: a UUID, unlike anything in the content. */
export function batchRequest(
  endpoint: string,
  table: string,
  partition: string,
  writes: readonly Write[],
  id: string,
): WireRequest {
  const lines = [`--batch_${id}`, `Content-Type: multipart/mixed; boundary=changeset_${id}`, ""];
  for (const write of writes) {
    const { method, path, headers, body } = writeRequest(table, partition, write);
    lines.push(`--changeset_${id}`, "Content-Type: application/http", "Content-Transfer-Encoding: binary", "");
    lines.push(`${method} ${endpoint}/${path} HTTP/1.1`);
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    lines.push("", body ?? "");
  }
  lines.push(`--changeset_${id}--`, `--batch_${id}--`, "");
  return {
    method: "POST",
    path: "$batch",
    headers: { ...readHeaders, "Content-Type": `multipart/mixed; boundary=batch_${id}` },
    body: lines.join("\r\n"),
  };
}

/**
 * The parts of a multipart answer, in their order, which is that of the operations; a refused EGT has one alone.
 * Boundaries are any lines that begin with `--`: the JSON of a part never has such a line, and what the outer header
 * declares as boundary differs between the service and its emulator.
 */
export function parseBatchAnswer(body: string): readonly AnswerPart[] {
  return body
    .split(/^--.*$/m)
    .map(parsePart)
    .filter((part) => part !== undefined);
}

function parsePart(text: string): AnswerPart | undefined {
  const start = /^HTTP\/1\.\d (\d{3})/m.exec(text);
  if (start === null) return undefined;
  const rest = text.slice(start.index);
  const gap = /\r?\n\r?\n/.exec(rest);
  const head = gap === null ? rest : rest.slice(0, gap.index);
  const etag = /^etag:[ \t]*(\S.*?)[ \t]*$/im.exec(head);
  return {
    status: Number(start[1]),
    etag: etag?.[1]?.trimEnd(),
    body: gap === null ? "" : rest.slice(gap.index).trim(),
  };
}
