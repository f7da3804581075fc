// Calls that are alike: with a JSON body and answer, and of what may not be there.

import { isStreamkitError } from "./errors.ts";
import type { Query } from "./paths.ts";
import type { Call } from "./transport.ts";

const json = "application/json";

/** A write that may be sent twice: a refusal says nothing of whether an attempt before it happened. */
export function jsonCall(method: "POST" | "PUT", path: string, body: object, query: Query = {}): Call {
  const types = { accept: json, contentType: json };
  return { method, path, query, body: JSON.stringify(body), ...types, refutes: () => false };
}

/** Undefined where there is none. */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (failure) {
    if (isStreamkitError(failure, "not_found")) return undefined;
    throw failure;
  }
}
