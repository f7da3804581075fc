// The caller's credential: a key of the function app, or a token of an issuer.

import { StreamkitError } from "./errors.ts";

/** Read for each request: assign another `key` to rotate it. */
export interface KeyCredential {
  readonly key: string;
}

/** The part of `@azure/identity`'s credentials that is used. */
export interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: { readonly abortSignal?: AbortSignal },
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

export type Credential = KeyCredential | TokenCredential;

/** A token is renewed so long before it expires: longer than any clock should be wrong. */
const renewalMs = 120_000;

/** Makes the header that says who calls. */
export class Authorisation {
  readonly #credential: Credential | undefined;
  readonly #audience: string | undefined;
  #token: { readonly text: string; readonly expiresAt: number } | undefined;

  constructor(credential: Credential | undefined, audience: string | undefined) {
    if (credential !== undefined && "getToken" in credential && audience === undefined) {
      throw new StreamkitError(
        "invalid_argument",
        "audience: expected what the token is for, such as api://my-app, in the options of the client.",
      );
    }
    this.#credential = credential;
    this.#audience = audience;
  }

  async header(signal: AbortSignal | undefined): Promise<Readonly<Record<string, string>>> {
    const credential = this.#credential;
    if (credential === undefined) return {};
    if (!("getToken" in credential)) return { "x-functions-key": credential.key };
    if (this.#token === undefined || this.#token.expiresAt - renewalMs < Date.now()) {
      const scope = this.#audience?.endsWith("/.default") ? this.#audience : `${this.#audience ?? ""}/.default`;
      const granted = await credential.getToken(scope, signal === undefined ? {} : { abortSignal: signal });
      if (granted === null) throw new StreamkitError("unauthenticated", "The credential gave no token.");
      this.#token = { text: granted.token, expiresAt: granted.expiresOnTimestamp };
    }
    return { authorization: `Bearer ${this.#token.text}` };
  }

  /** The service refused it: the next request asks for a new token. Whether there is another to ask for. */
  refused(): boolean {
    const had = this.#token !== undefined;
    this.#token = undefined;
    return had;
  }
}
