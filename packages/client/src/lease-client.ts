// A lease lets one of many processes do something, and fences what a former holder still sends.

import type { LeaseProof } from "./append.ts";
import { isStreamkitError, StreamkitError } from "./errors.ts";
import type { OperationOptions } from "./options.ts";
import { Following, pause } from "./timing.ts";
import type { Call, Transport } from "./transport.ts";

export interface Lease extends LeaseProof {
  readonly holder: string;
  /** By the storage's clock, milliseconds since 1970: until then nobody else is granted it. */
  readonly expiresAt: number;
}

/** The lease as the work under it has it: give it to appends as `lease`. */
export type HeldLease = LeaseProof & { readonly holder: string };

export interface HoldOptions extends OperationOptions {
  /** Names the process that asks: another for each process that contends. Default: a random name. */
  readonly holder?: string | undefined;
  /** How long it outlives a process that died. Default 30. */
  readonly ttlInSeconds?: number | undefined;
  /** How long to wait for it while another has it; `lease_held` after that. Default: as long as it takes. */
  readonly waitInMs?: number | undefined;
}

/** The longest pause between two tries to get a lease that another has: it may be given back before it expires. */
const waitMsMax = 2_000;

/** How long work that is over waits for the lease to be given back. */
const releaseMsMax = 5_000;

/** Made by `StoreClient.getLeaseClient`, without a request. */
export class LeaseClient {
  readonly key: string;
  readonly #transport: Transport;
  readonly #path: string;

  /** @internal */
  constructor(transport: Transport, path: string, key: string) {
    this.key = key;
    this.#transport = transport;
    this.#path = path;
  }

  /**
   * Acquires it, or renews it as the same holder. `lease_held` when another has it: `details.remainingMs` says for how
   * long at most.
   */
  async acquire(holder: string, ttlInSeconds: number, options: OperationOptions = {}): Promise<Lease> {
    const body = JSON.stringify({ holder, ttlSeconds: ttlInSeconds });
    const call: Call = {
      ...{ method: "PUT", path: this.#path, body, accept: "application/json", contentType: "application/json" },
      refutes: (error) => isStreamkitError(error, "lease_held"),
    };
    const granted = (await this.#transport.json(call, options)) as Omit<Lease, "key">;
    return { key: this.key, holder: granted.holder, token: granted.token, expiresAt: granted.expiresAt };
  }

  /** Gives it back, also when there is nothing to give back. */
  async release(holder: string, options: OperationOptions = {}): Promise<void> {
    const refutes = (): boolean => true;
    await this.#transport.send({ method: "DELETE", path: this.#path, query: { holder }, refutes }, options);
  }

  /**
   * Does the work while this process has the lease: waits for it, renews it, gives it back. The signal aborts when the
   * lease is lost, or when the caller's own does; work that goes on all the same is fenced only where it appends with
   * `lease`.
   */
  async hold<Result>(
    work: (lease: HeldLease, signal: AbortSignal) => Promise<Result>,
    options: HoldOptions = {},
  ): Promise<Result> {
    const { holder = crypto.randomUUID(), ttlInSeconds = 30 } = options;
    const { token, heldUntil } = await this.#awaited(holder, ttlInSeconds, options);
    const holding = new Following(options.abortSignal);
    const renewing = new Following(holding.signal);
    const renewals = this.#renew({ holder, ttlInSeconds, token, heldUntil }, options, holding, renewing.signal);
    try {
      return await work({ key: this.key, token, holder }, holding.signal);
    } finally {
      renewing.abort();
      await renewals;
      holding.release();
      // The next holder need not wait until it expires. If it cannot be given back, it expires.
      await this.release(holder, { ...options, abortSignal: AbortSignal.timeout(releaseMsMax) }).catch(() => undefined);
    }
  }

  async #awaited(holder: string, ttlInSeconds: number, options: HoldOptions): Promise<Grant> {
    const { waitInMs = Infinity, abortSignal } = options;
    const endsAt = performance.now() + waitInMs;
    for (;;) {
      try {
        return await this.#granted(holder, ttlInSeconds, options);
      } catch (failure) {
        if (!isStreamkitError(failure, "lease_held")) throw failure;
        const { remainingMs } = failure.details;
        const wait = Math.min(waitMsMax, typeof remainingMs === "number" ? remainingMs + 50 : waitMsMax);
        if (performance.now() + wait > endsAt) throw failure;
        await pause(wait, abortSignal);
      }
    }
  }

  async #granted(holder: string, ttlInSeconds: number, options: OperationOptions): Promise<Grant> {
    // The lease lasts from when the service had the request, which is after this.
    const heldUntil = performance.now() + ttlInSeconds * 1_000;
    const { token } = await this.acquire(holder, ttlInSeconds, options);
    return { token, heldUntil };
  }

  /** Renews it until the work is over; aborts the work when the lease may be another's. Never rejects. */
  async #renew(
    { holder, ttlInSeconds, token, heldUntil }: Grant & { readonly holder: string; readonly ttlInSeconds: number },
    options: OperationOptions,
    holding: Following,
    over: AbortSignal,
  ): Promise<void> {
    let until = heldUntil;
    let expiry: ReturnType<typeof setTimeout> | undefined;
    const lost = (cause?: unknown): void => {
      holding.abort(
        new StreamkitError("lease_lost", `The lease ${JSON.stringify(this.key)} may be another's now.`, { cause }),
      );
    };
    try {
      while (!over.aborted) {
        clearTimeout(expiry);
        expiry = setTimeout(lost, until - performance.now());
        await pause((ttlInSeconds * 1_000) / 3, over);
        const granted = await this.#granted(holder, ttlInSeconds, { ...options, abortSignal: over });
        // It had expired meanwhile: what was done under the former token is not fenced by this one.
        if (granted.token !== token) {
          lost();
          return;
        }
        until = granted.heldUntil;
      }
    } catch (failure) {
      if (!over.aborted) lost(failure);
    } finally {
      clearTimeout(expiry);
    }
  }
}

interface Grant {
  readonly token: number;
  /** On this process's own clock. */
  readonly heldUntil: number;
}
