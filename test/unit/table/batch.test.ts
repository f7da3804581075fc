import { expect, test } from "vitest";
import { batchRequest, parseBatchAnswer, writeRequest } from "../../../src/table/batch.ts";

// As the service's documentation shows it.
const done = [
  "--batchresponse_4c637ba4-b2f8-40f8-8856-c2d10d163a83",
  "Content-Type: multipart/mixed; boundary=changesetresponse_450f3868-6fb7-4b9d-ba96-5b0b6d3b4d4e",
  "",
  "--changesetresponse_450f3868-6fb7-4b9d-ba96-5b0b6d3b4d4e",
  "Content-Type: application/http",
  "Content-Transfer-Encoding: binary",
  "",
  "HTTP/1.1 204 No Content",
  "X-Content-Type-Options: nosniff",
  "Cache-Control: no-cache",
  "Preference-Applied: return-no-content",
  "DataServiceVersion: 3.0;",
  "Location: https://account.table.core.windows.net/t(PartitionKey='p',RowKey='1')",
  "ETag: W/\"datetime'2013-11-14T01%3A19%3A04.1480452Z'\"",
  "",
  "",
  "--changesetresponse_450f3868-6fb7-4b9d-ba96-5b0b6d3b4d4e",
  "Content-Type: application/http",
  "Content-Transfer-Encoding: binary",
  "",
  "HTTP/1.1 204 No Content",
  "Cache-Control: no-cache",
  "",
  "",
  "--changesetresponse_450f3868-6fb7-4b9d-ba96-5b0b6d3b4d4e--",
  "--batchresponse_4c637ba4-b2f8-40f8-8856-c2d10d163a83--",
  "",
];

test("the parts of a batch answer come in order, with their ETags where there are any", () => {
  const parts = [
    { status: 204, etag: "W/\"datetime'2013-11-14T01%3A19%3A04.1480452Z'\"", body: "" },
    { status: 204, etag: undefined, body: "" },
  ];
  expect(parseBatchAnswer(done.join("\r\n"))).toEqual(parts);
  expect(parseBatchAnswer(done.join("\n"))).toEqual(parts);
});

test("a failed batch is one part with its error, whatever that quotes", () => {
  const error = String.raw`{"odata.error":{"code":"X","message":{"value":"1:--changesetresponse_1 HTTP/1.1 204\nRequestId:1"}}}`;
  const body = [
    "--batchresponse_1",
    "Content-Type: multipart/mixed; boundary=--changesetresponse_1",
    "",
    "--changesetresponse_1",
    "Content-Type: application/http",
    "",
    "HTTP/1.1 409 Conflict",
    "Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8",
    "",
    error,
    "--changesetresponse_1--",
    "--batchresponse_1--",
  ].join("\r\n");
  expect(parseBatchAnswer(body)).toEqual([{ status: 409, etag: undefined, body: error }]);
});

test("an answer that is no batch answer has no parts", () => {
  for (const body of ["", "<html>HTTP/1.1 is old</html>", "{}", "--x\r\n--y--"])
    expect(parseBatchAnswer(body)).toEqual([]);
});

test("a condition is a header of its write; only an insert names its keys in the body", () => {
  const ifMatch = 'W/"1"';
  const properties = { n: 1n };
  expect(writeRequest("t", "p", { kind: "insert", row: "r", properties })).toMatchObject({
    method: "POST",
    path: "t",
    body: '{"PartitionKey":"p","RowKey":"r","n":"1","n@odata.type":"Edm.Int64"}',
  });
  const replace = writeRequest("t", "p", { kind: "replace", row: "it's", properties, ifMatch });
  expect(replace).toMatchObject({ method: "PUT", path: "t(PartitionKey='p',RowKey='it%27%27s')" });
  expect(replace.headers).toMatchObject({ "If-Match": ifMatch });
  expect(replace.body).toBe('{"n":"1","n@odata.type":"Edm.Int64"}');
  const upsert = writeRequest("t", "p", { kind: "upsert", row: "r", properties });
  expect(upsert.method).toBe("PUT");
  expect(Object.keys(upsert.headers)).not.toContain("If-Match");
  const remove = writeRequest("t", "p", { kind: "delete", row: "r", ifMatch });
  expect(remove.method).toBe("DELETE");
  expect(remove.body).toBeUndefined();
  expect(remove.headers).toMatchObject({ "If-Match": ifMatch });
});

test("a batch carries each write whole, in order, under one boundary", () => {
  const { body, headers, method, path } = batchRequest(
    "https://a.table.core.windows.net",
    "t",
    "p",
    [
      { kind: "insert", row: "1", properties: { text: "--changeset_id\r\n" } },
      { kind: "delete", row: "2", ifMatch: "*" },
    ],
    "id",
  );
  expect({ method, path }).toEqual({ method: "POST", path: "$batch" });
  expect(headers).toMatchObject({ "Content-Type": "multipart/mixed; boundary=batch_id" });
  expect(body!.split("\r\n").filter((line) => line.startsWith("--"))).toEqual([
    "--batch_id",
    "--changeset_id",
    "--changeset_id",
    "--changeset_id--",
    "--batch_id--",
  ]);
  expect(body!.split("\r\n").filter((line) => line.endsWith(" HTTP/1.1"))).toEqual([
    "POST https://a.table.core.windows.net/t HTTP/1.1",
    "DELETE https://a.table.core.windows.net/t(PartitionKey='p',RowKey='2') HTTP/1.1",
  ]);
});
