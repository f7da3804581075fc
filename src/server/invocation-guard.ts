// Invocations and their requests, and what becomes of those that never meet.
//
// With HTTP streaming the host sends each call twice: as an invocation, and over HTTP to a server of the Functions
// library, which matches the two by a header and waits without an end for the other half. Callers can keep them apart:
// by an id of their own in that header, which the host passes on in place of its own, and by more headers than Node.js
// takes (16 KiB). An invocation that waits until functionTimeout takes the whole process, and everyone's streams, with
// it.
// Promise: an invocation whose request does not come fails after some seconds; a request that no invocation asks for is
// answered 400, and the library keeps nothing of it. A process that was only busy takes nothing for missing.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { request as openRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { Clock } from "../core/clock.ts";
import { Backlog } from "./backlog.ts";

/** The parts of the library's programming model that this file uses; the host calls them. */
export interface ProgrammingModel {
  getInvocationModel(context: CoreContext): InvocationModel;
  getCapabilities(capabilities: Capabilities): Promise<Capabilities>;
}

type Capabilities = Record<string, string>;

interface CoreContext {
  readonly invocationId: string;
  readonly [member: string]: unknown;
}

interface InvocationModel {
  /** For an HTTP trigger it waits for the request. */
  getArguments(): Promise<{ readonly context: unknown }>;
  /** For an HTTP trigger it answers the request. */
  getResponse(context: unknown, result: unknown): Promise<unknown>;
}

export interface InvocationGuardOptions {
  readonly clock: Clock;
  /** How long an invocation waits for its request: they are sent at once, and may both wait for a busy process. */
  readonly requestWithinMs: number;
  /** How long a request waits for its invocation. */
  readonly invocationWithinMs: number;
}

const channel = "http.server.request.start";
const invocationHeader = "x-ms-invocation-id";
/** As the host makes them. The library uses others as names of events, of which `error` would end the process. */
const invocationIdPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** From now on the model's invocations and requests are watched. `close` ends the watch of requests. */
export function guardInvocations(model: ProgrammingModel, options: InvocationGuardOptions): { close(): void } {
  const { clock, requestWithinMs, invocationWithinMs } = options;
  /** Invocations that wait for their request. */
  const invoked = new Set<string>();
  /** Requests that wait for their invocation: what forgets, and what answers them. */
  const waiting = new Map<string, { keep(): void; dismiss(): void }>();
  let server: URL | undefined;
  let backlog: Backlog | undefined;

  const getInvocationModel = model.getInvocationModel.bind(model);
  const getCapabilities = model.getCapabilities.bind(model);
  model.getCapabilities = async (capabilities) => {
    const answered = await getCapabilities(capabilities);
    const { HttpUri: uri } = answered;
    if (uri !== undefined) {
      server = new URL(uri);
      backlog = new Backlog(server, clock);
    }
    return answered;
  };
  model.getInvocationModel = (context) => {
    const { invocationId: id } = context;
    const invocation = getInvocationModel(context);
    const getArguments = invocation.getArguments.bind(invocation);
    invocation.getArguments = async () => {
      const arrived = waiting.get(id);
      arrived?.keep();
      if (arrived === undefined) invoked.add(id);
      const given = getArguments();
      const late = Promise.withResolvers<never>();
      const giveUp = (): void => {
        const seconds = requestWithinMs / 1_000;
        const why = `its caller sent an ${invocationHeader} of its own, or more headers than Node.js takes`;
        late.reject(new Error(`The request of this invocation did not come within ${seconds} s: ${why}.`));
        if (server === undefined) return;
        // One of our own in its place: the library would wait for ever, and listen.
        sendInPlace(server, id);
        answerByLibrary(invocation, given);
      };
      const cancel = afterSteps(clock, requestWithinMs, () => {
        void Promise.resolve(backlog?.caughtUp()).then(() => {
          // Otherwise it has come meanwhile.
          if (invoked.delete(id)) giveUp();
        });
      });
      try {
        const found = await Promise.race([given, late.promise]);
        invoked.delete(id);
        return found;
      } finally {
        cancel();
      }
    };
    return invocation;
  };

  const onRequest = (message: unknown): void => {
    const { request, response, socket } = message as Announced;
    // Other servers of the process, such as a local host's own, get ids that are not meant for them.
    if (server === undefined || String(socket.localPort) !== server.port) return;
    const id = request.headers[invocationHeader];
    if (typeof id !== "string" || !invocationIdPattern.test(id)) {
      // So that the library does not take it up.
      request.headers[invocationHeader] = undefined;
      refuse(request, response);
      return;
    }
    if (invoked.delete(id)) return;
    // The library forgets the first of two requests of one id when it sees the second.
    waiting.get(id)?.dismiss();
    const end = (): void => {
      cancel();
      if (waiting.get(id) === entry) waiting.delete(id);
    };
    const dismiss = (): void => {
      end();
      refuse(request, response);
    };
    const cancel = afterSteps(clock, invocationWithinMs, () => {
      dismiss();
      // An invocation of our own asks for it, so that the library lets go of it.
      const invocation = getInvocationModel(contextOf(id));
      answerByLibrary(invocation, invocation.getArguments());
    });
    const entry = { keep: end, dismiss };
    waiting.set(id, entry);
  };
  subscribe(channel, onRequest);
  return { close: () => void unsubscribe(channel, onRequest) };
}

interface Announced {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
}

/** Without a body: until the host has some of one, the invocation's failure decides what the caller gets. */
function refuse(request: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent) return;
  response.writeHead(400, { "content-length": 0 }).end();
  request.resume();
}

/** The library forgets what it has answered, also where it finds out then that there is an answer already. */
function answerByLibrary(invocation: InvocationModel, given: Promise<{ readonly context: unknown }>): void {
  given.then(({ context }) => invocation.getResponse(context, { status: 400 })).catch(() => undefined);
}

function sendInPlace(server: URL, id: string): void {
  const headers = { [invocationHeader]: id, "x-forwarded-host": "localhost", "x-forwarded-proto": "http" };
  const request = openRequest(server, { headers, agent: false }, (response) => void response.resume());
  // Its answer is of no interest, nor is its failure: what it is for is done on the other side.
  request.on("error", () => undefined).end();
}

/** The parts of an HTTP invocation that the library reads. */
function contextOf(id: string): CoreContext {
  const bindings = {
    request: { type: "httpTrigger", direction: "in" },
    $return: { type: "http", direction: "out" },
  };
  return {
    invocationId: id,
    request: { invocationId: id, inputData: [{ name: "request", data: {} }], triggerMetadata: {} },
    metadata: { name: "nobody", bindings },
    state: undefined,
    log: () => undefined,
  };
}

const steps = 10;

/** As `clock.after`, but in steps: of a time in which the process did nothing no more than one of them counts. */
function afterSteps(clock: Clock, ms: number, callback: () => void): () => void {
  let left = steps;
  let cancel: () => void;
  const step = (): void => {
    left -= 1;
    if (left < 0) callback();
    else cancel = clock.after(ms / steps, step);
  };
  step();
  return () => cancel();
}
