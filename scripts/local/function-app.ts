// The app inside the host: loads the compiled function files and runs invocations through the library, as the language
// worker does. Promise: every invocation that was begun is known until it ended, so that a shutdown can wait for it.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type CoreInvocationContext,
  type FunctionMetadata,
  installFunctionsCore,
  type InvocationResponse,
  type ProgrammingModel,
  type RegisteredFunction,
  Registry,
  type RpcBinding,
  type RpcTypedData,
} from "./functions-core.ts";
import { describeError, type HostLog, parseLogLevel } from "./log.ts";

export interface Trigger {
  readonly name: string;
  /** As in function.json: `httpTrigger`, `timerTrigger`, `queueTrigger`, in any case. */
  readonly type: string;
  readonly binding: RpcBinding;
}

export interface AppFunction {
  readonly name: string;
  readonly trigger: Trigger;
  /** What it is bound to besides its trigger and its HTTP answer. */
  readonly otherBindings: readonly string[];
  readonly registered: RegisteredFunction;
}

export interface InvocationInput {
  readonly invocationId: string;
  readonly data: RpcTypedData;
  readonly metadata: Readonly<Record<string, RpcTypedData>>;
}

export type InvocationOutcome =
  | { readonly kind: "completed"; readonly result: unknown; readonly response: InvocationResponse }
  | { readonly kind: "failed"; readonly error: unknown };

/** An invocation ended before its function was called. */
export class NoArguments extends Error {
  override readonly name = "NoArguments";
}

export interface FunctionAppOptions {
  readonly root: string;
  readonly log: HostLog;
  /** Undefined: no limit. */
  readonly functionTimeoutMs: number | undefined;
}

export class FunctionApp {
  /** In the order of their names. */
  readonly functions: readonly AppFunction[];
  /** Where the library's own HTTP server listens; undefined when the app has HTTP streaming off. */
  readonly httpUri: URL | undefined;
  readonly #options: FunctionAppOptions;
  readonly #registry: Registry;
  readonly #model: ProgrammingModel;
  readonly #running = new Set<Promise<InvocationOutcome>>();

  private constructor(
    options: FunctionAppOptions,
    registry: Registry,
    model: ProgrammingModel,
    httpUri: URL | undefined,
  ) {
    this.#options = options;
    this.#registry = registry;
    this.#model = model;
    this.httpUri = httpUri;
    // The host goes by the names in this order, also when it looks for the function that serves a URL.
    const { compare } = new Intl.Collator("en");
    this.functions = [...registry.functions.values()].map(describe).sort((a, b) => compare(a.name, b.name));
  }

  /**
   * Imports the files that package.json's `main` names. Once in a process; throws when a file does, and so nothing
   * starts.
   */
  static async load(options: FunctionAppOptions): Promise<FunctionApp> {
    const { root, log } = options;
    const registry = new Registry();
    installFunctionsCore(registry, (level, category, message) =>
      logThroughHooks(log, registry, { level, category, message, source: `Worker.${category}`, context: undefined }),
    );
    // eslint-disable-next-line streamkit/import-directions -- it is the app that it is given, not a part of itself
    for (const path of functionFiles(root)) await import(pathToFileURL(path).href);
    registry.close();
    if (registry.model === undefined || registry.functions.size === 0) {
      throw new Error(`No function is registered by the files that "main" of ${join(root, "package.json")} names.`);
    }
    await registry.runHooks("appStart", { hookData: {}, appHookData: {}, functionAppDirectory: root });
    const { HttpUri: httpUri } = await registry.model.getCapabilities({});
    return new FunctionApp(options, registry, registry.model, httpUri === undefined ? undefined : new URL(httpUri));
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Runs a function once. Never rejects: how it ended is the value, and a failure was logged. */
  invoke(target: AppFunction, input: InvocationInput): Promise<InvocationOutcome> {
    const overdue = this.#watchTimeout(target, input.invocationId);
    const run = this.#run(target, input).then(
      (completed): InvocationOutcome => ({ kind: "completed", ...completed }),
      (error: unknown): InvocationOutcome => {
        const text = `Executed 'Functions.${target.name}' (failed, id=${input.invocationId}): ${describeError(error)}`;
        this.#options.log.write("error", `Function.${target.name}`, text);
        return { kind: "failed", error };
      },
    );
    this.#running.add(run);
    return run.finally(() => {
      clearTimeout(overdue);
      this.#running.delete(run);
    });
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running);
  }

  /** Lets the app put its things in order, as the worker does before it ends. */
  async terminate(): Promise<void> {
    await this.#registry.runHooks("appTerminate", { hookData: {}, appHookData: {} });
  }

  async #run(target: AppFunction, input: InvocationInput): Promise<{ result: unknown; response: InvocationResponse }> {
    const { metadata, callback } = target.registered;
    const core = this.#coreContext(metadata, target, input);
    const model = this.#model.getInvocationModel(core);
    const { context, inputs } = await model.getArguments().catch((cause: unknown) => {
      throw new NoArguments("What the function is called with did not come.", { cause });
    });

    const before = { hookData: {}, appHookData: {}, invocationContext: context, inputs, functionCallback: callback };
    core.state = "preInvocationHooks";
    await this.#registry.runHooks("preInvocation", before);

    const after: Record<string, unknown> & { result: unknown; error: unknown } = {
      ...{ hookData: before.hookData, appHookData: before.appHookData, invocationContext: context },
      ...{ inputs: before.inputs, result: null, error: null },
    };
    core.state = "invocation";
    try {
      after.result = await model.invokeFunction(context, before.inputs, before.functionCallback);
    } catch (error) {
      after.error = error ?? new Error("The function threw nothing but undefined.");
    }
    core.state = "postInvocationHooks";
    await this.#registry.runHooks("postInvocation", after);
    core.state = undefined;

    // A hook may have cured the error, or brought one.
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- it is the app's own
    if (after.error !== null && after.error !== undefined) throw after.error;
    return { result: after.result, response: await model.getResponse(context, after.result) };
  }

  #coreContext(metadata: FunctionMetadata, target: AppFunction, input: InvocationInput): CoreInvocationContext {
    const { invocationId, data, metadata: triggerMetadata } = input;
    const core: CoreInvocationContext = {
      invocationId,
      request: { invocationId, inputData: [{ name: target.trigger.name, data }], triggerMetadata },
      metadata,
      state: undefined,
      log: (level, category, message) => {
        const source = `Function.${target.name}${category === "user" ? ".User" : ""}`;
        logThroughHooks(this.#options.log, this.#registry, { level, category, message, source, context: core });
      },
    };
    return core;
  }

  #watchTimeout(target: AppFunction, invocationId: string): NodeJS.Timeout | undefined {
    const { functionTimeoutMs, log } = this.#options;
    if (functionTimeoutMs === undefined) return undefined;
    const warn = (): void => {
      const text = `Invocation ${invocationId} runs for longer than functionTimeout (${functionTimeoutMs / 1000} s): Azure would restart the worker now, and end everything else in it.`;
      log.write("warning", `Function.${target.name}`, text);
    };
    return setTimeout(warn, Math.min(functionTimeoutMs, 2 ** 31 - 1)).unref();
  }
}

/** The files that `main` of the app's package.json names, a path or a glob. */
function functionFiles(root: string): string[] {
  const { main } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { main?: string };
  if (main === undefined)
    throw new Error(`${join(root, "package.json")} has no "main", which names the function files.`);
  const files = globSync(main, { cwd: root }).sort();
  if (files.length === 0)
    throw new Error(`No file in ${root} matches "main" of package.json, ${main}: build the app first.`);
  return files.map((file) => join(root, file));
}

function describe(registered: RegisteredFunction): AppFunction {
  const { name, bindings } = registered.metadata;
  const isTrigger = (binding: RpcBinding): boolean => /trigger$/i.test(binding.type);
  const trigger = Object.entries(bindings).find(([, binding]) => isTrigger(binding));
  if (trigger === undefined) throw new Error(`The function ${name} has no trigger.`);
  const otherBindings = Object.values(bindings)
    .filter((binding) => !isTrigger(binding) && binding.type.toLowerCase() !== "http")
    .map((binding) => binding.type);
  return { name, trigger: { name: trigger[0], type: trigger[1].type, binding: trigger[1] }, otherBindings, registered };
}

interface AppLogLine {
  readonly level: string;
  /** `user` or `system`. */
  readonly category: string;
  readonly message: string;
  /** The host's category for it. */
  readonly source: string;
  readonly context: unknown;
}

function logThroughHooks(log: HostLog, registry: Registry, line: AppLogLine): void {
  const { level, category, message, source, context } = line;
  const hookContext = { hookData: {}, level, category, message, invocationContext: context };
  registry.runLogHooks(hookContext);
  log.write(parseLogLevel(hookContext.level), source, hookContext.message);
}
