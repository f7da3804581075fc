// The parts that the definitions of several calls share: parameters of paths, headers of live readers, and the usual
// errors.

import * as z from "zod";

import type { ErrorCode } from "../core/errors.ts";
import { segmentNameSchema, spaceNameSchema, storeIdSchema } from "./names.ts";

export const none = z.object({});
export const inStore = z.object({ store: storeIdSchema });
export const inSpace = z.object({ store: storeIdSchema, space: spaceNameSchema });
export const inSegment = z.object({ store: storeIdSchema, space: spaceNameSchema, segment: segmentNameSchema });

export const lastEventId = z.object({
  "Last-Event-ID": z.string().optional().meta({
    description:
      "Server-sent events: the id of the last one received; of several spaces, with the same spaces in the body.",
  }),
});

/** The errors of a call that answers without a body. */
export const silentErrors = [
  "invalid_argument",
  "unauthenticated",
  "permission_denied",
  "throttled",
  "overloaded",
  "storage_unavailable",
  "misconfigured",
  "internal",
  "corrupt_data",
  "deleted",
] as const satisfies readonly ErrorCode[];
export const readErrors = [...silentErrors, "not_acceptable"] as const;
export const bodyErrors = ["unsupported_media_type", "request_too_large", "request_timeout"] as const;
export const writeErrors = [
  ...readErrors,
  ...bodyErrors,
  "sequence_mismatch",
  "transaction_id_mismatch",
  "lease_held",
  "record_too_large",
  "not_confirmed",
] as const;
