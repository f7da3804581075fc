// The local host: one process that does for the app what the Functions host and its worker do.
// Promise: a function that cannot run as it is registered is named in the log with the reason, and the others run.

import type { TriggerMetadata } from "./binding-data.ts";
import { openQueueService } from "./connections.ts";
import { Door } from "./door.ts";
import { type AppFunction, FunctionApp } from "./function-app.ts";
import type { RpcTypedData } from "./functions-core.ts";
import { HttpFront, type HttpFunction } from "./http-front.ts";
import { type AuthLevel, type KeyRing, readKeyRing } from "./keys.ts";
import { createHostLog, type HostLog } from "./log.ts";
import { QueueListener } from "./queues.ts";
import { parseRoute, type Route, routesConflict } from "./routes.ts";
import { type Environment, expandSettings, type HostSettings, readHostSettings, UnusableHostJson } from "./settings.ts";
import { parseSchedule, Timer } from "./timers.ts";
import { startUnavailable } from "./unavailable.ts";
import { within } from "./within.ts";

export interface HostOptions {
  /** The folder of host.json and package.json. */
  readonly root: string;
  /** 0: any free one. */
  readonly port: number;
  readonly env: Environment;
  readonly print: (line: string) => void;
}

export interface RunningHost {
  readonly url: string;
  /** Takes no more work, gives what runs `graceMs` to end, lets the app put its things in order. */
  stop(graceMs: number): Promise<void>;
}

interface Triggers {
  readonly routes: Route<HttpFunction>[];
  readonly timers: Map<AppFunction, Timer>;
  readonly queues: QueueListener[];
}

/**
 * Resolves when the app is loaded and requests are taken, or when they are refused since host.json cannot be used. Once
 * in a process: the app's modules cannot be loaded twice.
 */
export async function startHost(options: HostOptions): Promise<RunningHost> {
  const logTo = (levels: HostSettings["logLevel"]): HostLog =>
    createHostLog({ levels, print: options.print, now: () => new Date() });
  try {
    const settings = readHostSettings(options.root, options.env);
    return await startApp(options, settings, logTo(settings.logLevel));
  } catch (error) {
    if (!(error instanceof UnusableHostJson)) throw error;
    return startUnavailable(error, options.port, logTo(new Map()));
  }
}

async function startApp(options: HostOptions, settings: HostSettings, log: HostLog): Promise<RunningHost> {
  const { root, env } = options;
  const keys = readKeyRing(env["STREAMKIT_LOCAL_KEYS"]);
  const app = await FunctionApp.load({ root, log, functionTimeoutMs: settings.functionTimeoutMs });

  const triggers: Triggers = { routes: [], timers: new Map(), queues: [] };
  const functions = new Map<string, AppFunction>();
  for (const target of app.functions) {
    if (isDisabled(target.name, env)) {
      log.write("information", "Host.Startup", `${target.name} is disabled by a setting.`);
      continue;
    }
    try {
      await addTrigger(triggers, target, { app, settings, env, log });
      functions.set(target.name.toLowerCase(), target);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.write("error", "Host.Startup", `The function ${target.name} is in error and does not run. ${reason}`);
    }
  }

  sayWhereKinder(triggers, keys, log);

  const front = new HttpFront({
    door: new Door(env["STREAMKIT_LOCAL_HOSTS"]),
    ...{ app, functions, keys, log, routes: triggers.routes, startedAt: Date.now() },
    inputByHand: (target, input) => triggers.timers.get(target)?.dataByHand() ?? { string: input },
  });
  const url = await front.listen(options.port);
  for (const timer of triggers.timers.values()) timer.start();
  for (const queue of triggers.queues) queue.start();
  return { url, stop: (graceMs) => stop({ app, front, triggers, log }, graceMs) };
}

/** What works here and would not on Azure, where it cannot be told from the answers. */
function sayWhereKinder(triggers: Triggers, keys: KeyRing, log: HostLog): void {
  const category = "Host.Startup";
  const isOpen = keys.allows("admin", undefined, undefined);
  if (isOpen && triggers.routes.some(({ target }) => target.authLevel !== "anonymous")) {
    const text = "Functions that ask for a key on Azure take none here; STREAMKIT_LOCAL_KEYS has them ask.";
    log.write("warning", category, text);
  }
  if (triggers.timers.size > 0) {
    const text = "Timers run in every local instance, on Azure in one; what was due while none ran is not made up for.";
    log.write("information", category, text);
  }
}

interface TriggerDependencies {
  readonly app: FunctionApp;
  readonly settings: HostSettings;
  readonly env: Environment;
  readonly log: HostLog;
}

async function addTrigger(triggers: Triggers, target: AppFunction, dependencies: TriggerDependencies): Promise<void> {
  const { app, settings, env, log } = dependencies;
  const { binding, type } = target.trigger;
  if (!/^[a-z][\w-]{0,127}$/i.test(target.name)) throw new Error("The host does not accept its name.");
  if (target.otherBindings.length > 0) {
    throw new Error(`The local host has no bindings of type ${target.otherBindings.join(", ")}.`);
  }
  if (target.registered.metadata.retryOptions !== undefined) {
    log.write("warning", "Host.Startup", `The local host does not retry ${target.name}; Azure would.`);
  }
  const run = async (data: RpcTypedData, metadata: TriggerMetadata): Promise<boolean> => {
    const outcome = await app.invoke(target, { invocationId: crypto.randomUUID(), data, metadata });
    return outcome.kind === "completed";
  };
  switch (type.toLowerCase()) {
    case "httptrigger": {
      const authLevel = parseAuthLevel(text(binding["authLevel"]) ?? "anonymous");
      const template = text(binding["route"]) ?? target.name;
      const methods = binding["methods"] as readonly string[];
      const route = parseRoute({ target, authLevel }, { template, prefix: settings.routePrefix, methods });
      const other = triggers.routes.find((earlier) => routesConflict(earlier, route));
      if (other !== undefined) throw new Error(`Its route is that of ${other.target.target.name} already.`);
      triggers.routes.push(route);
      return;
    }
    case "timertrigger": {
      const schedule = parseSchedule(text(binding["schedule"]) ?? "", env);
      const runOnStartup = binding["runOnStartup"] === true;
      const timer = new Timer({ schedule, runOnStartup, now: Date.now, run: (data) => run(data, {}) });
      triggers.timers.set(target, timer);
      return;
    }
    case "queuetrigger": {
      const queueName = expandSettings(text(binding["queueName"]) ?? "", env);
      const service = await openQueueService(text(binding["connection"]), env);
      const functionName = target.name;
      triggers.queues.push(
        new QueueListener({ service, queueName, functionName, settings: settings.queues, log, run }),
      );
      return;
    }
    default:
      throw new Error(`The local host has no triggers of type ${type}.`);
  }
}

interface Running {
  readonly app: FunctionApp;
  readonly front: HttpFront;
  readonly triggers: Triggers;
  readonly log: HostLog;
}

async function stop({ app, front, triggers, log }: Running, graceMs: number): Promise<void> {
  front.close();
  for (const timer of triggers.timers.values()) timer.stop();
  // Before what runs is waited for: a live stream ends by itself only where the app knows that it is to stop.
  const terminated = app.terminate();
  const quiet = async (): Promise<void> => {
    await Promise.all(triggers.queues.map((queue) => queue.stop().then(() => queue.drain())));
    await app.idle();
    await front.idle();
  };
  if (!(await within(graceMs, quiet()))) {
    log.write("warning", "Host.Shutdown", `Ended while ${app.runningCount} invocations were still running.`);
  }
  await terminated;
  front.end();
}

function parseAuthLevel(value: string): AuthLevel {
  const level = value.toLowerCase();
  if (level === "anonymous" || level === "function" || level === "admin") return level;
  throw new Error(`The local host does not know the authLevel "${value}".`);
}

/** The setting `AzureWebJobs.<name>.Disabled`, or with underscores where a dot cannot be in a name. */
function isDisabled(name: string, env: Environment): boolean {
  const value = env[`AzureWebJobs.${name}.Disabled`] ?? env[`AzureWebJobs_${name}_Disabled`];
  return value?.toLowerCase() === "true" || value === "1";
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
