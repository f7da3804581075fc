// One storage account's table service on the wire: requests in, answers out, through the SDK client's own pipeline: its
// credentials, TLS, tracing and logging.
//
// Promise: `send` sends once. `read` tries again, boundedly, and begins no further try when the time-out of one request
// is over. Every request ends within its time-out.

import { AzureSASCredential, TableServiceClient } from "@azure/data-tables";
import { createHttpHeaders, createPipelineRequest, type Pipeline } from "@azure/core-rest-pipeline";
import { sleep, type Clock, type Random, ServiceClock } from "../core/clock.ts";
import { silentTelemetry } from "../core/telemetry.ts";
import type { Attributes, Telemetry } from "../core/telemetry.ts";
import type { WireRequest } from "./batch.ts";
import * as classify from "./classify.ts";
import { isLoopback, type StorageConnection } from "./connection.ts";
import { withDeadline } from "./deadline.ts";
import { createHttpClient } from "./http-client.ts";
import { identityCredential } from "./identity.ts";
import { TableFailure } from "./port.ts";
import { sharedKeyPolicy } from "./shared-key.ts";

export interface TableAccountOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The time of one request, from its start to the end of its answer, ms. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** How often a read is tried that found the service unavailable or too busy. Default 3. */
  readonly readAttemptsMax?: number;
  /** Before the second attempt; doubled before each further one, plus as much again at random. Default 50. */
  readonly readRetryMs?: number;
  /** Absent: nothing is measured. */
  readonly telemetry?: Telemetry;
  /** Learns the service's time of each answer. Absent: one of its own. */
  readonly serviceClock?: ServiceClock;
}

/** The service's answer, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly header: (name: string) => string | undefined;
  readonly serviceTime: number;
}

/** The version of the service's protocol that the SDK speaks. */
const apiVersion = "2019-02-02";

export class Transport {
  readonly endpoint: string;
  readonly #pipeline: Pipeline;
  readonly #http = createHttpClient();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timeoutMs: number;
  readonly #readAttemptsMax: number;
  readonly #readRetryMs: number;
  readonly #telemetry: Telemetry;
  readonly #serviceClock: ServiceClock;

  constructor(connection: StorageConnection, options: TableAccountOptions) {
    this.endpoint = connection.tableEndpoint;
    this.#serviceClock = options.serviceClock ?? new ServiceClock(options.clock);
    // The service refuses a signature with a wrong time. Signed by the service's own clock, that happens at most once.
    this.#pipeline = pipelineOf(connection, this.#serviceClock);
    this.#clock = options.clock;
    this.#random = options.random;
    this.#timeoutMs = options.requestTimeoutMs ?? 10_000;
    this.#readAttemptsMax = options.readAttemptsMax ?? 3;
    this.#readRetryMs = options.readRetryMs ?? 50;
    this.#telemetry = options.telemetry ?? silentTelemetry;
  }

  uuid(): string {
    return this.#random.uuid();
  }

  /** Once. */
  async send(request: WireRequest, operation: classify.Operation, signal: AbortSignal | undefined): Promise<Answer> {
    const startedAt = this.#clock.elapsed();
    const outcome = await withDeadline(this.#clock, this.#timeoutMs, signal, (abortSignal) =>
      this.#pipeline.sendRequest(
        this.#http,
        createPipelineRequest({
          url: `${this.endpoint}/${request.path}`,
          method: request.method,
          headers: createHttpHeaders({ ...request.headers, "x-ms-version": apiVersion }),
          ...(request.body === undefined ? {} : { body: request.body }),
          abortSignal,
          allowInsecureConnection: this.endpoint.startsWith("http:"),
        }),
      ),
    );
    this.#telemetry.record("db.client.operation.duration", (this.#clock.elapsed() - startedAt) / 1_000, {
      ...attributesOf(request),
      ...(outcome.kind === "done" ? statusOf(outcome.value.status) : { "error.type": outcome.kind }),
    });
    switch (outcome.kind) {
      case "threw":
        throw classify.classifyThrown(outcome.error, operation);
      case "timeout":
        throw classify.timedOut(this.#timeoutMs, operation);
      case "aborted":
        throw classify.aborted(operation === "write" && outcome.started ? "unknown" : "none", outcome.reason);
      case "done": {
        const { status, headers, bodyAsText } = outcome.value;
        const serviceTime = Date.parse(headers.get("date") ?? "");
        if (Number.isNaN(serviceTime)) throw classify.unreadableAnswer("no Date", operation);
        this.#serviceClock.learn(serviceTime);
        return { status, body: bodyAsText ?? "", header: (name) => headers.get(name), serviceTime };
      }
    }
  }

  /**
   * Again while the service is unavailable or asks for less: a read changes nothing. It waits as long as the service
   * says, and gives up at once where that is longer than one request may take. A time-out has had its time, and is the
   * caller's to pace.
   */
  async read(request: WireRequest, signal: AbortSignal | undefined): Promise<Answer> {
    const endsAt = this.#clock.elapsed() + this.#timeoutMs;
    for (let attempt = 1; ; attempt++) {
      let askedMs: number;
      let outcome: { readonly answer: Answer } | { readonly failure: TableFailure };
      try {
        const answer = await this.send(request, "read", signal);
        const failure = passingFailure(answer);
        if (failure === undefined) return answer;
        askedMs = failure.retryAfterMs ?? 0;
        outcome = { answer };
      } catch (error) {
        if (!(error instanceof TableFailure && error.kind === "unavailable")) throw error;
        askedMs = 0;
        outcome = { failure: error };
      }
      const waitMs = Math.max(askedMs, this.#readRetryMs * 2 ** (attempt - 1) * (1 + this.#random.fraction()));
      if (attempt >= this.#readAttemptsMax || this.#clock.elapsed() + waitMs > endsAt) {
        if ("failure" in outcome) throw outcome.failure;
        return outcome.answer;
      }
      this.#telemetry.record("streamkit.storage.retries", 1, attributesOf(request));
      try {
        await sleep(this.#clock, waitMs, signal);
      } catch (reason) {
        throw classify.aborted("none", reason);
      }
    }
  }
}

/** The error answer that the classifier reads. */
export function errorOf(answer: Answer, body = answer.body): classify.ErrorAnswer {
  return { status: answer.status, body, retryAfterMs: classify.retryAfterMs(answer.header("retry-after")) };
}

/** By the semantic conventions for clients of databases. */
function attributesOf({ method, path }: WireRequest): Attributes {
  const operation = ((): string => {
    if (path === "Tables") return "create";
    if (method !== "GET") return "submit";
    return path.includes("()") ? "query" : "get";
  })();
  return { "db.system.name": "azure.tables", "db.operation.name": operation };
}

/** Answers that say how things stand, not that something is wrong: there is none, there is one, it is another. */
const expectedStatuses: ReadonlySet<number> = new Set([404, 409, 412]);

function statusOf(status: number): Attributes {
  const code = String(status);
  const failed = status >= 400 && !expectedStatuses.has(status);
  return { "db.response.status_code": code, ...(failed ? { "error.type": code } : {}) };
}

/**
 * Returns the failure that an answer reports, if the next answer may be another: the service is unavailable, or asks
 * for less.
 */
function passingFailure(answer: Answer): TableFailure | undefined {
  if (answer.status < 400) return undefined;
  const verdict = classify.classifyAnswer(errorOf(answer), "read");
  if (verdict.kind !== "failed") return undefined;
  return verdict.failure.kind === "unavailable" || verdict.failure.kind === "throttled" ? verdict.failure : undefined;
}

/**
 * They serve the SDK's generated operations, its retries, bodies that are not text and redirections, which there are
 * none of here; and each takes its time of every request.
 */
const unusedPolicies = [
  ...["serializationPolicy", "deserializationPolicy", "tablesSecondaryEndpointPolicy", "defaultRetryPolicy"],
  ...["decompressResponsePolicy", "formDataPolicy", "multipartPolicy", "wrapAbortSignalLikePolicy", "redirectPolicy"],
];

function pipelineOf(connection: StorageConnection, clock: Pick<Clock, "now">): Pipeline {
  const { accountName, tableEndpoint, credential } = connection;
  const options = {
    retryOptions: { maxRetries: 0 },
    allowInsecureConnection: tableEndpoint.startsWith("http:"),
  };
  const client = ((): TableServiceClient => {
    switch (credential.kind) {
      case "key": {
        const unsigned = new TableServiceClient(tableEndpoint, options);
        const policy = sharedKeyPolicy(accountName, credential.key.reveal(), clock);
        unsigned.pipeline.addPolicy(policy, { phase: "Sign" });
        return unsigned;
      }
      case "sas":
        return new TableServiceClient(tableEndpoint, new AzureSASCredential(credential.signature.reveal()), options);
      case "identity":
        return new TableServiceClient(tableEndpoint, identityCredential(credential), options);
    }
  })();
  for (const name of unusedPolicies) client.pipeline.removePolicy({ name });
  // A proxy of the environment is for the way out, not for an emulator on this machine.
  if (isLoopback(tableEndpoint)) client.pipeline.removePolicy({ name: "proxyPolicy" });
  return client.pipeline;
}
