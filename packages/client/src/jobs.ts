// Jobs: work of a store that takes longer than a call may, which the service goes on with by itself.

import { ifThere } from "./calls.ts";
import { StreamkitError } from "./errors.ts";
import type { OperationOptions } from "./options.ts";
import { pagedList } from "./paged.ts";
import type { PagedList } from "./paged.ts";
import { encodeName } from "./paths.ts";
import { pause } from "./timing.ts";
import type { Transport } from "./transport.ts";

export type JobFacts = Readonly<Record<string, string | number | boolean>>;

export interface Job {
  readonly id: string;
  /** The call that it is of: `trimSpace`, `deleteSpace` ... */
  readonly kind: string;
  /** `failed`: it cannot be done, and is not tried again. */
  readonly state: "waiting" | "running" | "done" | "failed";
  readonly space?: string;
  readonly segment?: string;
  readonly asked: JobFacts;
  /** How far it is. */
  readonly progress: JobFacts;
  readonly caller: string;
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  readonly workedAt?: number;
  /** How many times it was worked on. */
  readonly turns: number;
  readonly lastError?: { readonly code: string; readonly message: string; readonly at: number };
}

export interface JobPage {
  readonly jobs: readonly Job[];
  /** Undefined on the last page. */
  readonly continuationToken: string | undefined;
}

/** One by one with `for await`, or page by page. */
export type PagedJobs = PagedList<Job, JobPage>;

export interface WaitOptions extends OperationOptions {
  /** The pause between two looks. Default 2,000: the service works on jobs once a minute. */
  readonly pollingIntervalInMs?: number | undefined;
}

const pollingMs = 2_000;

/** Those of one store: `StoreClient.jobs`. */
export class Jobs {
  readonly #transport: Transport;
  readonly #path: string;

  /** @internal */
  constructor(transport: Transport, path: string) {
    this.#transport = transport;
    this.#path = path;
  }

  /** In the order they were started. One that has ended is told of for a week. */
  list(options: OperationOptions = {}): PagedJobs {
    const pageOf = (jobs: readonly Job[], continuationToken: string | undefined): JobPage => {
      return { jobs, continuationToken };
    };
    return pagedList(this.#transport, this.#path, options, "jobs", pageOf);
  }

  /** Undefined: there is none, or it ended more than a week ago. */
  get(id: string, options: OperationOptions = {}): Promise<Job | undefined> {
    return ifThere(this.#get(id, options));
  }

  /**
   * Resolves when it is done; rejects with what it failed of when it cannot be done. The job of a deletion is done when
   * the time to restore is up. The signal ends the waiting, not the job.
   */
  async wait(id: string, options: WaitOptions = {}): Promise<Job> {
    for (;;) {
      const job = await this.#get(id, options);
      if (job.state === "done") return job;
      if (job.state === "failed") {
        const { code = "internal", message = `The job ${id} failed.` } = job.lastError ?? {};
        throw new StreamkitError(code, message, { details: { job } });
      }
      await pause(options.pollingIntervalInMs ?? pollingMs, options.abortSignal);
    }
  }

  async #get(id: string, options: OperationOptions): Promise<Job> {
    const path = `${this.#path}/${encodeName(id)}`;
    return (await this.#transport.json({ method: "GET", path, accept: "application/json" }, options)) as Job;
  }
}
