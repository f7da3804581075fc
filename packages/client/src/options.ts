// Options of the client, and of one call.

/** Options that every call has besides its own. */
export interface OperationOptions {
  /** Ends the call; it then rejects with the reason of the signal. */
  readonly abortSignal?: AbortSignal | undefined;
  readonly requestOptions?: RequestOptions | undefined;
  readonly tracingOptions?: TracingOptions | undefined;
  /** Is told of every answer, also of those that are repeated. */
  readonly onResponse?: ((response: RawResponse) => void) | undefined;
}

export interface RequestOptions {
  /** How long one attempt may take; of a stream, until its answer begins. Default 30,000. */
  readonly timeoutInMs?: number | undefined;
  readonly customHeaders?: Readonly<Record<string, string>> | undefined;
}

/** W3C trace context: the service logs and spans carry it. */
export interface TracingOptions {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

export interface RawResponse {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  /** 1 for the first. */
  readonly attempt: number;
}

export interface RetryOptions {
  /** How long a call goes on repeating what fails. 0: never repeats. Default 60,000. */
  readonly deadlineInMs?: number | undefined;
  /** The first pause; each is up to twice as long as the one before. Default 100. */
  readonly retryDelayInMs?: number | undefined;
  /** The longest pause that this client chooses; one that the service asks for may be longer. Default 5,000. */
  readonly maxRetryDelayInMs?: number | undefined;
}

export interface StreamkitClientOptions {
  readonly retryOptions?: RetryOptions | undefined;
  /** With a token credential: what the token is for. */
  readonly audience?: string | undefined;
  /** Allows a key or token to be sent over `http:` to another machine. Default false. */
  readonly allowInsecureConnection?: boolean | undefined;
  /** In the place of the platform's own `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Is told what is repeated and why, in a word. Never payloads, keys or tokens. Default: nothing is logged. */
  readonly log?: ((message: string, fields: Readonly<Record<string, unknown>>) => void) | undefined;
}
