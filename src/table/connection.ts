// Which storage account, and with what credential: read from settings as Azure Functions has them.
//
// Promise: pure; does no request and loads no library. Errors name the setting and what to set. Keys are kept as
// Secret, which neither logs nor JSON show.

import { inspect } from "node:util";
import { StoreError } from "../core/errors.ts";

/** Shown nowhere unless asked for. */
export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [inspect.custom](): string {
    return "[secret]";
  }
}

export type StorageCredential =
  | { readonly kind: "key"; readonly key: Secret }
  /** A shared access signature, without its leading question mark. */
  | { readonly kind: "sas"; readonly signature: Secret }
  /** Microsoft Entra ID. `managed`: the managed identity alone, not the chain that ends in a developer's own login. */
  | { readonly kind: "identity"; readonly clientId: string | undefined; readonly managed: boolean };

export interface StorageConnection {
  /** The setting it came from: errors name it. */
  readonly setting: string;
  readonly accountName: string;
  /** Without a slash at the end. */
  readonly tableEndpoint: string;
  /** Undefined when settings give a table endpoint alone and it does not tell the queues'. */
  readonly queueEndpoint: string | undefined;
  readonly credential: StorageCredential;
}

export type Settings = Readonly<Record<string, string | undefined>>;

/** Azurite's account; the key is in its documentation, the same everywhere. */
const emulator = {
  accountName: "devstoreaccount1",
  key: "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
  tablePort: 10002,
  queuePort: 10001,
};

/** Allows plain HTTP to other machines: events and, with a SAS, the credential itself can then be read on the way. */
const insecureSetting = "STREAMKIT_ALLOW_INSECURE_HTTP";

/**
 * The account of the setting `name`, or else of `fallback`; each a connection string, or identity-based
 * (`name__accountName`).
 */
export function parseConnection(
  env: Settings,
  name = "STREAMKIT_STORAGE",
  fallback = "AzureWebJobsStorage",
): StorageConnection {
  const allowInsecureHttp = env[insecureSetting]?.trim().toLowerCase() === "true";
  for (const setting of [name, fallback]) {
    const text = env[setting]?.trim() ?? "";
    if (text !== "") return parseConnectionString(text, setting, { allowInsecureHttp });
    const identity = parseIdentity(env, setting, allowInsecureHttp);
    if (identity !== undefined) return identity;
  }
  throw wrong(
    name,
    `no storage account is configured; set ${name} or ${fallback} to a connection string, or ${name}__accountName to its name`,
  );
}

export function parseConnectionString(
  text: string,
  setting: string,
  options: { readonly allowInsecureHttp: boolean },
): StorageConnection {
  const parts = partsOf(text, setting);
  if (parts.get("usedevelopmentstorage")?.toLowerCase() === "true") return development(parts, setting, options);

  const endpoint = (service: "table" | "queue"): string | undefined => {
    const given = parts.get(`${service}endpoint`);
    if (given !== undefined) return given;
    const account = parts.get("accountname");
    if (account === undefined) return undefined;
    const protocol = parts.get("defaultendpointsprotocol") ?? "https";
    return `${protocol}://${account}.${service}.${parts.get("endpointsuffix") ?? "core.windows.net"}`;
  };
  const table = endpoint("table");
  if (table === undefined) throw wrong(setting, "the connection string has neither AccountName nor TableEndpoint");
  const tableEndpoint = parseEndpoint(table, setting, options.allowInsecureHttp);
  return {
    setting,
    accountName: parts.get("accountname") ?? accountOf(tableEndpoint),
    tableEndpoint,
    queueEndpoint: queueBeside(tableEndpoint, endpoint("queue"), setting, options.allowInsecureHttp),
    credential: credentialOf(parts, setting),
  };
}

/**
 * Whether it is no storage but a developer's: its endpoints are on this machine, or they are those of Azurite, wherever
 * that listens: the account is in their path, and the key is the one that everybody has. The account's name alone says
 * nothing: anyone may take it.
 */
export function isEmulator({ tableEndpoint, queueEndpoint, credential }: StorageConnection): boolean {
  const endpoints = queueEndpoint === undefined ? [tableEndpoint] : [tableEndpoint, queueEndpoint];
  if (endpoints.every(isLoopback)) return true;
  return (
    credential.kind === "key" &&
    credential.key.reveal() === emulator.key &&
    endpoints.every((endpoint) => new URL(endpoint).pathname === `/${emulator.accountName}`)
  );
}

/** Whether what an endpoint names is this machine. */
export function isLoopback(endpoint: string): boolean {
  const { hostname } = new URL(endpoint);
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}

function parseIdentity(env: Settings, setting: string, allowInsecureHttp: boolean): StorageConnection | undefined {
  const part = (suffix: string): string | undefined => {
    const text = env[`${setting}__${suffix}`]?.trim();
    return text === "" ? undefined : text;
  };
  const account = part("accountName");
  const table =
    part("tableServiceUri") ?? (account === undefined ? undefined : `https://${account}.table.core.windows.net`);
  const queue =
    part("queueServiceUri") ?? (account === undefined ? undefined : `https://${account}.queue.core.windows.net`);
  if (table === undefined) {
    if (queue === undefined) return undefined;
    throw wrong(
      `${setting}__tableServiceUri`,
      `${setting}__queueServiceUri is set and this is not; set it, or ${setting}__accountName`,
    );
  }
  const kind = part("credential")?.toLowerCase();
  if (kind !== undefined && kind !== "managedidentity") {
    throw wrong(`${setting}__credential`, "expected managedidentity, or nothing for the default chain");
  }
  const tableEndpoint = parseEndpoint(table, `${setting}__tableServiceUri`, allowInsecureHttp);
  return {
    setting,
    accountName: account ?? accountOf(tableEndpoint),
    tableEndpoint,
    queueEndpoint: queueBeside(tableEndpoint, queue, `${setting}__queueServiceUri`, allowInsecureHttp),
    credential: { kind: "identity", clientId: part("clientId"), managed: kind !== undefined },
  };
}

function development(
  parts: ReadonlyMap<string, string>,
  setting: string,
  options: { readonly allowInsecureHttp: boolean },
): StorageConnection {
  const host = (parts.get("developmentstorageproxyuri") ?? "http://127.0.0.1").replace(/\/+$/, "");
  const endpoint = (port: number): string =>
    parseEndpoint(`${host}:${port}/${emulator.accountName}`, setting, options.allowInsecureHttp);
  return {
    setting,
    accountName: emulator.accountName,
    tableEndpoint: endpoint(emulator.tablePort),
    queueEndpoint: endpoint(emulator.queuePort),
    credential: { kind: "key", key: new Secret(emulator.key) },
  };
}

function partsOf(text: string, setting: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const part of text.split(";")) {
    if (part.trim() === "") continue;
    const at = part.indexOf("=");
    // The part is not shown: it may be a key.
    if (at < 1) throw wrong(setting, "not a connection string; expected Name=value pairs with semicolons between them");
    const value = part.slice(at + 1).trim();
    if (value !== "") parts.set(part.slice(0, at).trim().toLowerCase(), value);
  }
  return parts;
}

function credentialOf(parts: ReadonlyMap<string, string>, setting: string): StorageCredential {
  const key = parts.get("accountkey");
  if (key !== undefined) {
    if (!parts.has("accountname")) throw wrong(setting, "the connection string has an AccountKey and no AccountName");
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) throw wrong(setting, "the connection string's AccountKey is not base64");
    return { kind: "key", key: new Secret(key) };
  }
  const signature = parts.get("sharedaccesssignature");
  if (signature === undefined) {
    throw wrong(setting, "the connection string has neither AccountKey nor SharedAccessSignature");
  }
  return { kind: "sas", signature: new Secret(signature.replace(/^\?/, "")) };
}

function parseEndpoint(text: string, setting: string, allowInsecureHttp: boolean): string {
  if (!URL.canParse(text)) throw wrong(setting, "an endpoint of it is not a URL");
  const url = new URL(text);
  if (url.search !== "" || url.hash !== "" || url.username !== "") {
    throw wrong(setting, "an endpoint of it has more than scheme, host, port and path");
  }
  if (url.protocol === "http:") {
    if (!allowInsecureHttp && !isLoopback(text)) {
      throw wrong(
        setting,
        `plain HTTP to ${url.hostname}; use https, or set ${insecureSetting}=true if the network is trusted`,
      );
    }
  } else if (url.protocol !== "https:") {
    throw wrong(setting, "an endpoint of it is neither https nor http");
  }
  return url.href.replace(/\/+$/, "");
}

/** The queues' endpoint: as given, or as the table endpoint of an Azure cloud tells it. */
function queueBeside(
  tableEndpoint: string,
  given: string | undefined,
  setting: string,
  allowInsecureHttp: boolean,
): string | undefined {
  if (given !== undefined) return parseEndpoint(given, setting, allowInsecureHttp);
  const told = /^(https?:\/\/[a-z0-9-]+\.)table(\.core\..+)$/.exec(tableEndpoint);
  return told === null ? undefined : `${told[1] ?? ""}queue${told[2] ?? ""}`;
}

/** `https://account.table...`, or `http://127.0.0.1:10002/account`. */
function accountOf(endpoint: string): string {
  const url = new URL(endpoint);
  const first = url.pathname.split("/")[1] ?? "";
  return first === "" ? (url.hostname.split(".")[0] ?? "") : first;
}

function wrong(setting: string, message: string): StoreError {
  return new StoreError("invalid_argument", `${setting}: ${message}.`, { details: { field: setting } });
}
