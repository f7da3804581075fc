// The floor: the leanest client of the table service that there could be, over `node:http` with connections kept alive.
// It writes EGTs put together from strings that were made before, signs a second's requests once, and reads nothing
// that it does not need. It keeps no promise at all.

import { createHmac } from "node:crypto";
import { Agent, request } from "node:http";

import type { StorageConnection } from "../src/table/connection.ts";
import { entityJson, jsonString } from "../src/table/odata.ts";
import type { Properties } from "../src/table/port.ts";

export interface LeanAnswer {
  readonly status: number;
  readonly bytes: number;
  readonly text: string;
  readonly header: (name: string) => string | undefined;
}

export class LeanClient {
  readonly #endpoint: URL;
  readonly #account: string;
  readonly #key: Buffer;
  readonly #agent: Agent;
  readonly #signatures = new Map<string, { readonly date: string; readonly header: string }>();

  constructor(connection: StorageConnection, connections: number) {
    const { credential } = connection;
    if (credential.kind !== "key") throw new Error("The floor signs with the account's key.");
    this.#endpoint = new URL(connection.tableEndpoint);
    this.#account = connection.accountName;
    this.#key = Buffer.from(credential.key.reveal(), "base64");
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Headers come as they are to be sent. `keep`: whether the answer's text is wanted. */
  send(method: string, path: string, headers: Record<string, string>, body?: string, keep = true): Promise<LeanAnswer> {
    const { hostname, port, pathname } = this.#endpoint;
    const full = `${pathname}/${path}`;
    const signed = this.#sign(full.split("?")[0] ?? full);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ agent: this.#agent, hostname, port, method, path: full },
          headers: {
            ...headers,
            "x-ms-version": "2019-02-02",
            "x-ms-date": signed.date,
            Authorization: signed.header,
            ...(body === undefined ? {} : { "Content-Length": body.length }),
          },
        },
        (answer) => {
          let text = "";
          let bytes = 0;
          answer.on("data", (piece: Buffer) => {
            bytes += piece.length;
            if (keep) text += piece.toString("latin1");
          });
          answer.on("error", reject);
          answer.on("end", () => {
            const header = (name: string): string | undefined => answer.headers[name]?.toString();
            resolve({ status: answer.statusCode ?? 0, bytes, text, header });
          });
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async createTable(name: string): Promise<void> {
    await this.send("POST", "Tables", jsonHeaders, JSON.stringify({ TableName: name }));
  }

  /** An EGT of operations that were put together by `insertPart` and `replacePart`. */
  async batch(parts: readonly string[]): Promise<LeanAnswer> {
    const body = `${batchStart}${parts.join(changesetLine)}${batchEnd}`;
    const answer = await this.send("POST", "$batch", batchHeaders, body);
    if (answer.status !== 202 || answer.text.includes("HTTP/1.1 4")) {
      throw new Error(`The floor's write failed: ${answer.status} ${answer.text.slice(0, 500)}`);
    }
    return answer;
  }

  insertPart(table: string, json: string): string {
    return `POST ${this.#endpoint.href}/${table} HTTP/1.1\r\n${partHeaders}\r\n${json}\r\n`;
  }

  replacePart(table: string, partition: string, row: string, etag: string, json: string): string {
    const url = `${this.#endpoint.href}/${table}(PartitionKey='${partition}',RowKey='${row}')`;
    return `PUT ${url} HTTP/1.1\r\nIf-Match: ${etag}\r\n${partHeaders}\r\n${json}\r\n`;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** SharedKeyLite over date and path: the same for a second. */
  #sign(path: string): { readonly date: string; readonly header: string } {
    const date = new Date().toUTCString();
    const known = this.#signatures.get(path);
    if (known?.date === date) return known;
    const signature = createHmac("sha256", this.#key).update(`${date}\n/${this.#account}${path}`).digest("base64");
    const signed = { date, header: `SharedKeyLite ${this.#account}:${signature}` };
    this.#signatures.set(path, signed);
    return signed;
  }
}

/**
 * One worker's head and rows, written as a produce's are: an EGT that replaces the one and inserts another of the
 * others.
 */
export class LeanSegment {
  readonly #client: LeanClient;
  readonly #table: string;
  readonly #partition: string;
  readonly #head: string;
  readonly #headInsert: string;
  readonly #row: string;
  #etag: string | undefined;
  #count = 0;

  constructor(client: LeanClient, table: string, partition: string, head: Properties, row: Properties) {
    this.#client = client;
    this.#table = table;
    this.#partition = partition;
    this.#head = entityJson(head, { partition, row: "0" }, "without keys");
    this.#headInsert = entityJson(head, { partition, row: "0" }, "with keys");
    this.#row = entityJson(row, { partition, row: "0" }, "without keys").slice(1);
  }

  async produce(): Promise<void> {
    const [client, table, partition] = [this.#client, this.#table, this.#partition];
    this.#count += 1;
    const key = `${jsonString(partition)},"RowKey":"${this.#count.toString(16).padStart(16, "0")}"`;
    const answer = await client.batch([
      this.#etag === undefined
        ? client.insertPart(table, this.#headInsert)
        : client.replacePart(table, partition, "0", this.#etag, this.#head),
      client.insertPart(table, `{"PartitionKey":${key},${this.#row}`),
    ]);
    this.#etag = /^etag:\s*(.*?)\r?$/im.exec(answer.text)?.[1];
  }
}

/** As many entities in an EGT as the client of one entity a record sends. */
const recordsPerBatch = 90;

/** One entity a record, in the partition of each of two views, all EGTs at the same time. */
export async function writeOneByOne(
  client: LeanClient,
  table: string,
  place: string,
  texts: readonly string[],
): Promise<void> {
  const batches: Promise<LeanAnswer>[] = [];
  for (const view of ["space", "segment"]) {
    for (let from = 0; from < texts.length; from += recordsPerBatch) {
      const parts = texts.slice(from, from + recordsPerBatch).map((text, index) => {
        const row = (from + index).toString(16).padStart(16, "0");
        const json = `{"PartitionKey":"${view}-${place}","RowKey":"${row}","d":${jsonString(text)}}`;
        return client.insertPart(table, json);
      });
      batches.push(client.batch(parts));
    }
  }
  await Promise.all(batches);
}

/** Takes all pages of a partition from the socket, without looking at them. Gives the bytes. */
export async function readAll(client: LeanClient, table: string, filter: string, select: string): Promise<number> {
  let bytes = 0;
  let next = "";
  do {
    const query = `$filter=${encodeURIComponent(filter)}&$select=${encodeURIComponent(select)}${next}`;
    const answer = await client.send("GET", `${table}()?${query}`, readHeaders, undefined, false);
    if (answer.status !== 200) throw new Error(`The floor's read failed: ${answer.status}`);
    bytes += answer.bytes;
    const [partition, row] = ["nextpartitionkey", "nextrowkey"].map((name) =>
      answer.header(`x-ms-continuation-${name}`),
    );
    next = partition === undefined ? "" : `&NextPartitionKey=${partition}&NextRowKey=${row ?? ""}`;
  } while (next !== "");
  return bytes;
}

const boundary = "changeset_0";
const changesetLine = `--${boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n`;
const batchStart = `--batch_0\r\nContent-Type: multipart/mixed; boundary=${boundary}\r\n\r\n${changesetLine}`;
const batchEnd = `--${boundary}--\r\n--batch_0--\r\n`;
const accept = "application/json;odata=nometadata";
const readHeaders = { Accept: "application/json;odata=minimalmetadata", DataServiceVersion: "3.0" };
const batchHeaders = { Accept: accept, DataServiceVersion: "3.0", "Content-Type": "multipart/mixed; boundary=batch_0" };
const jsonHeaders = { Accept: accept, DataServiceVersion: "3.0", "Content-Type": "application/json" };
const partHeaders = `Accept: ${accept}\r\nDataServiceVersion: 3.0\r\nContent-Type: application/json\r\nPrefer: return-no-content\r\n`;
