// The module `@azure/functions-core`, which on Azure the language worker puts in place for the library
// `@azure/functions`. Promise: the library that the app brings along registers its functions and hooks here, unchanged,
// and cannot tell the difference.

import { registerHooks } from "node:module";

/** A value on its way between host and worker: exactly one of them is set. */
export interface RpcTypedData {
  readonly string?: string;
  readonly json?: string;
  readonly bytes?: Uint8Array;
  readonly int?: number;
  readonly double?: number;
  readonly http?: Readonly<Record<string, unknown>>;
}

export interface RpcBinding {
  readonly type: string;
  readonly direction: "in" | "out";
  readonly [property: string]: unknown;
}

export interface FunctionMetadata {
  readonly name: string;
  readonly bindings: Readonly<Record<string, RpcBinding>>;
  readonly retryOptions?: unknown;
}

export interface CoreInvocationContext {
  readonly invocationId: string;
  readonly request: {
    readonly invocationId: string;
    readonly inputData: readonly { readonly name: string; readonly data: RpcTypedData }[];
    readonly triggerMetadata: Readonly<Record<string, RpcTypedData>>;
  };
  readonly metadata: FunctionMetadata;
  state: "preInvocationHooks" | "invocation" | "postInvocationHooks" | undefined;
  log(level: string, category: string, message: string): void;
}

export interface InvocationResponse {
  readonly returnValue?: RpcTypedData | null;
}

export type FunctionCallback = (...values: unknown[]) => unknown;

export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<InvocationResponse>;
}

export interface ProgrammingModel {
  readonly name: string;
  readonly version: string;
  getInvocationModel(context: CoreInvocationContext): InvocationModel;
  getCapabilities(capabilities: Record<string, string>): Promise<Record<string, string>>;
}

export interface RegisteredFunction {
  readonly metadata: FunctionMetadata;
  readonly callback: FunctionCallback;
}

export type HookCallback = (context: Record<string, unknown>) => unknown;

/** Everything that the app's files registered while they were loaded. */
export class Registry {
  readonly functions = new Map<string, RegisteredFunction>();
  model: ProgrammingModel | undefined;
  readonly #hooks = new Map<string, Set<HookCallback>>();
  #loading = true;

  /** From now on functions are refused, as the worker refuses them after the start. */
  close(): void {
    this.#loading = false;
  }

  register(metadata: FunctionMetadata, callback: FunctionCallback): void {
    if (!this.#loading) throw new Error("A function can only be registered during app startup.");
    // The host compares names without regard to case.
    const key = metadata.name.toLowerCase();
    if (this.functions.has(key))
      throw new Error(`A function with the name "${metadata.name}" has already been registered.`);
    this.functions.set(key, { metadata, callback });
  }

  addHook(name: string, callback: HookCallback): () => void {
    const callbacks = this.#hooks.get(name) ?? new Set();
    this.#hooks.set(name, callbacks.add(callback));
    return () => void callbacks.delete(callback);
  }

  async runHooks(name: string, context: Record<string, unknown>): Promise<void> {
    for (const callback of this.#hooks.get(name) ?? []) await callback(context);
  }

  /** Log hooks may change the message and its level; they are not waited for. */
  runLogHooks(context: Record<string, unknown>): void {
    for (const callback of this.#hooks.get("log") ?? []) callback(context);
  }
}

export type CoreLog = (level: string, category: string, message: string) => void;

class Disposable {
  readonly #dispose: () => void;
  constructor(dispose: () => void) {
    this.#dispose = dispose;
  }
  dispose(): void {
    this.#dispose();
  }
}

const moduleName = "@azure/functions-core";
const moduleUrl = "functions-core:api";

/**
 * Puts the module in place. Must happen before the app is imported: a library that does not find it drops, silently,
 * all that is registered with it.
 */
export function installFunctionsCore(registry: Registry, log: CoreLog): void {
  const key = Symbol.for("streamkit.local.functions-core");
  (globalThis as Record<symbol, unknown>)[key] = {
    version: "3.0.0",
    hostVersion: "4.0.0",
    Disposable,
    setProgrammingModel: (model: ProgrammingModel) => void (registry.model = model),
    getProgrammingModel: () => registry.model,
    registerFunction: (metadata: FunctionMetadata, callback: FunctionCallback) => {
      registry.register(metadata, callback);
      return new Disposable(() => void registry.functions.delete(metadata.name.toLowerCase()));
    },
    registerHook: (name: string, callback: HookCallback) => new Disposable(registry.addHook(name, callback)),
    log,
  };
  const source = `module.exports = globalThis[Symbol.for(${JSON.stringify(key.description)})];`;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === moduleName ? { url: moduleUrl, format: "commonjs", shortCircuit: true } : next(specifier, context),
    load: (url, context, next) =>
      url === moduleUrl ? { format: "commonjs", source, shortCircuit: true } : next(url, context),
  });
}
