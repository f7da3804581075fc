// A command's input: the options that all commands have, and the clients made from them.

import { StreamkitClient } from "streamkit-client";
import type { Credential, StoreClient } from "streamkit-client";
import { exitCodes, UsageError } from "./failures.ts";
import type { ExitCode } from "./failures.ts";
import { Screen } from "./screen.ts";
import { ask } from "./shell.ts";
import type { Shell } from "./shell.ts";

export interface GlobalOptions {
  readonly url?: string;
  readonly store?: string;
  readonly key?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

/** How the caller is known to the app. */
export type Identity =
  | { readonly kind: "nobody" }
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "azure"; readonly audience: string };

const usualUrl = "http://127.0.0.1:7071";

export class Given {
  readonly shell: Shell;
  readonly screen: Screen;
  readonly url: string;
  readonly identity: Identity;
  /** The exit code of a command that ends otherwise without a failure. */
  exitCode: ExitCode = exitCodes.done;
  readonly #options: GlobalOptions;
  #client: Promise<StreamkitClient> | undefined;

  constructor(shell: Shell, options: GlobalOptions) {
    this.shell = shell;
    this.#options = options;
    this.screen = new Screen(shell, { json: options.json ?? false, color: options.color });
    this.url = options.url ?? setting(shell, "STREAMKIT_URL") ?? usualUrl;
    this.identity = identityOf(shell, options);
  }

  /** `for await`, and all calls, end with Ctrl-C. */
  get signal(): { readonly abortSignal: AbortSignal } {
    return { abortSignal: this.shell.signal };
  }

  client(): Promise<StreamkitClient> {
    return (this.#client ??= this.#connect());
  }

  async store(): Promise<StoreClient> {
    const store = this.#options.store ?? setting(this.shell, "STREAMKIT_STORE");
    if (store === undefined) throw new UsageError("Which store? --store or STREAMKIT_STORE says it: a UUID.");
    return (await this.client()).getStoreClient(store);
  }

  /** Returns when the person, or --yes, agrees; else nothing is done. */
  async confirm(what: string, isAgreed: boolean): Promise<void> {
    if (isAgreed) return;
    const answer = await ask(this.shell, `${what}\nThis cannot be undone. Type yes to go on: `);
    if (answer === undefined) throw new UsageError(`${what}\nNobody can be asked here: --yes agrees.`);
    if (answer.trim().toLowerCase() !== "yes") throw new UsageError("Nothing was done.");
  }

  /** The same, by the name of what is deleted. */
  async confirmName(what: string, name: string, isAgreed: boolean): Promise<void> {
    if (isAgreed) return;
    const answer = await ask(this.shell, `${what}\nType ${name} to go on: `);
    if (answer === undefined) throw new UsageError(`${what}\nNobody can be asked here: --yes agrees.`);
    if (answer.trim() !== name) throw new UsageError("Nothing was done.");
  }

  async #connect(): Promise<StreamkitClient> {
    const { identity } = this;
    const audience = identity.kind === "azure" ? identity.audience : identity.kind === "token" ? "given" : undefined;
    return new StreamkitClient(this.url, await credentialOf(identity), { audience });
  }
}

async function credentialOf(identity: Identity): Promise<Credential | undefined> {
  switch (identity.kind) {
    case "nobody":
      return undefined;
    case "key":
      return { key: identity.key };
    case "token":
      return { getToken: () => Promise.resolve({ token: identity.token, expiresOnTimestamp: Infinity }) };
    case "azure": {
      // Heavy, and for few: loaded by those alone.
      const { DefaultAzureCredential } = await import("@azure/identity");
      return new DefaultAzureCredential();
    }
  }
}

/** The first that is given: what is written out before what is only set. */
function identityOf(shell: Shell, { key }: GlobalOptions): Identity {
  if (key !== undefined) return { kind: "key", key };
  const token = setting(shell, "STREAMKIT_TOKEN");
  if (token !== undefined) return { kind: "token", token };
  const usualKey = setting(shell, "STREAMKIT_KEY");
  if (usualKey !== undefined) return { kind: "key", key: usualKey };
  const audience = setting(shell, "STREAMKIT_AUDIENCE");
  return audience === undefined ? { kind: "nobody" } : { kind: "azure", audience };
}

/** An empty one is an absent one. */
function setting({ env }: Shell, name: string): string | undefined {
  return env[name] === "" ? undefined : env[name];
}
