// Retention: how long entries are kept, of a space, or of a store for all its spaces that have no policy of their own.

import { ifThere, jsonCall } from "./calls.ts";
import type { OperationOptions } from "./options.ts";
import type { Transport } from "./transport.ts";

/** With both, an entry past either goes. */
export type RetentionPolicy =
  | { readonly maxAgeSeconds: number; readonly maxEntries?: number | undefined }
  | { readonly maxAgeSeconds?: number | undefined; readonly maxEntries: number };

export interface Retention {
  /** Entries that are older go. */
  readonly maxAgeSeconds?: number;
  /** Of each segment the newest so many stay. */
  readonly maxEntries?: number;
  /** `store`: the space has none of its own, and its store's is for it. */
  readonly of: "space" | "store";
}

export interface WouldRemove {
  readonly entries: number;
  /** Segments that lose some. */
  readonly segments: number;
  /** False: time ran out; it is this much at least. */
  readonly complete: boolean;
}

/** `SpaceClient.retention` or `StoreClient.retention`. Changes need the permission to manage. */
export class RetentionClient {
  readonly #transport: Transport;
  readonly #path: string;

  /** @internal */
  constructor(transport: Transport, path: string) {
    this.#transport = transport;
    this.#path = path;
  }

  /** From now on the service removes what the policy does not keep. */
  async put(policy: RetentionPolicy, options: OperationOptions = {}): Promise<Retention> {
    return (await this.#put(policy, undefined, options)) as Retention;
  }

  /** Says what would go now by this policy, and changes nothing. */
  async dryRun(policy: RetentionPolicy, options: OperationOptions = {}): Promise<WouldRemove> {
    return ((await this.#put(policy, true, options)) as { readonly wouldRemove: WouldRemove }).wouldRemove;
  }

  /** Undefined: there is none, and all is kept. */
  async get(options: OperationOptions = {}): Promise<Retention | undefined> {
    const call = { method: "GET", path: this.#path, accept: "application/json" } as const;
    return (await ifThere(this.#transport.json(call, options))) as Retention | undefined;
  }

  /** Also when there is none. */
  async delete(options: OperationOptions = {}): Promise<void> {
    await ifThere(this.#transport.send({ method: "DELETE", path: this.#path, refutes: () => false }, options));
  }

  #put(policy: RetentionPolicy, dryRun: true | undefined, options: OperationOptions): Promise<unknown> {
    const { maxAgeSeconds, maxEntries } = policy;
    const { refutes, ...call } = jsonCall("PUT", this.#path, { maxAgeSeconds, maxEntries }, { dryRun });
    return this.#transport.json(dryRun === true || refutes === undefined ? call : { ...call, refutes }, options);
  }
}
