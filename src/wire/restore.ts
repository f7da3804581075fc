// Entries as a read in lines shows them, written again: the lines of a backup.

import * as z from "zod";

import type { Entry } from "../core/entry.ts";
import { checkedBytes, noMetadata } from "../core/entry.ts";
import { recordTooLarge } from "../core/errors.ts";
import type { NodeId, SpaceName } from "../core/ids.ts";
import { parseTransactionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { JsonSlice } from "./json-text.ts";
import { segmentNameSchema } from "./names.ts";
import { parseObject } from "./parse.ts";
import { decodePayload } from "./payload.ts";
import type { Encoding } from "./payload.ts";
import { parseMetadata } from "./records.ts";
import { wireLimits } from "./wire-limits.ts";

const integerExpected = `an integer from 1 to ${limits.headNumberMax}`;
const positive = z
  .int({ error: integerExpected })
  .min(1, { error: integerExpected })
  .max(limits.headNumberMax, { error: integerExpected });
const uuidExpected = "a UUID in lower case";
const uuid = z
  .string({ error: uuidExpected })
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { error: uuidExpected })
  .meta({ format: "uuid" });

const transaction = z.strictObject(
  { id: uuid, node: uuid, number: positive },
  { error: "a transaction: its id, node and number" },
);

export const restoredEntrySchema = z
  .strictObject({
    sequence: positive,
    timestamp: positive.meta({ description: "Milliseconds since 1970." }),
    trx: transaction,
    payload: z.instanceof(JsonSlice, { error: "a payload" }).meta({ description: "By `encoding`." }),
    encoding: z
      .literal("base64", { error: "base64, or none" })
      .optional()
      .meta({ description: "Of this payload, where it is not what the request says." }),
    metadata: z
      .instanceof(JsonSlice, { error: "a JSON object" })
      .optional()
      .meta({ type: "object", additionalProperties: { type: "string" } }),
    space: z.string().optional().meta({ description: "Not looked at: the entries go to the space of the call." }),
    segment: segmentNameSchema,
    offset: z.string().optional().meta({ description: "Not looked at: it follows from the others." }),
  })
  // Without a name: OpenAPI 3.1 has no place that refers to the schema of a line, and a name must be used.
  .meta({ description: "One entry of a backup." });

/** One line; `field` names it in errors. */
export function parseRestoredEntry(text: string, space: SpaceName, encoding: Encoding, field: string): Entry {
  if (text.length > wireLimits.recordCharactersMax + entryCharactersMax) throw recordTooLarge(field);
  const raw = parseObject(restoredEntrySchema, text, field, ["payload", "metadata"]);
  const { segment, sequence, timestamp, trx } = raw;
  const payload = decodePayload(raw.payload, raw.encoding ?? encoding, `${field}.payload`);
  const metadata = raw.metadata === undefined ? noMetadata : parseMetadata(raw.metadata, field);
  checkedBytes({ payload, metadata }, field);
  const { id, node, number } = trx;
  return {
    ...{ sequence, timestamp, payload, metadata, space, segment },
    trx: { id: parseTransactionId(id), node: node as NodeId, number },
  };
}

/** All but the payload and the metadata: names, of which each byte may be written as six, numbers, ids. */
const entryCharactersMax = 8 * 1_024;
