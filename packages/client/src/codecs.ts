// What payloads are: how a value becomes bytes, and bytes a value.

/** Any pair of functions will do: of a schema, of Protocol Buffers, of your own. */
export interface Codec<T> {
  encode(value: T): Uint8Array<ArrayBuffer> | string;
  /** Throws when the bytes are no such value: the read then fails with `undecodable_payload`. */
  decode(payload: Uint8Array): T;
  /** What the text that `encode` gives is, so that it can travel as it is. Default: bytes, in base64. */
  readonly encoding?: "json" | "text";
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** JSON. `parse` makes sure that what was read is a `T`: the `parse` of a schema of Zod or Valibot fits. */
export function json<T = unknown>(parse: (value: unknown) => T = (value) => value as T): Codec<T> {
  return {
    encoding: "json",
    encode(value) {
      // The types of the platform leave out that there may be no text.
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError("A payload in JSON cannot be undefined or a function.");
      return text;
    },
    decode: (payload) => parse(JSON.parse(strictUtf8.decode(payload))),
  };
}

export function text(): Codec<string> {
  return { encoding: "text", encode: (value) => value, decode: (payload) => strictUtf8.decode(payload) };
}

export function bytes(): Codec<Uint8Array> {
  return { encode: (value) => new Uint8Array(value), decode: (payload) => payload };
}
