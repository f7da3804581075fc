// Which function serves a URL: route templates as the Functions host understands them. Pure.
// Promise: the same function answers here and on Azure, or the template is refused with a reason.

export type RouteSegment =
  | { readonly kind: "literal"; readonly text: string }
  | {
      readonly kind: "parameter";
      readonly name: string;
      readonly optional: boolean;
      readonly accepts: readonly RegExp[];
    }
  | { readonly kind: "rest"; readonly name: string };

export interface Route<Target> {
  readonly target: Target;
  /** Without the prefix, in lower case: what two functions conflict by. */
  readonly template: string;
  readonly methods: ReadonlySet<string>;
  readonly segments: readonly RouteSegment[];
}

export interface RouteMatch<Target> {
  readonly target: Target;
  /** Percent-decoded except `%2F`, as the host hands them over. */
  readonly params: Readonly<Record<string, string>>;
}

const constraints: Readonly<Record<string, RegExp>> = {
  alpha: /^[a-z]*$/i,
  bool: /^(true|false)$/i,
  guid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  int: /^[+-]?\d{1,10}$/,
  long: /^[+-]?\d{1,19}$/,
};

/** The path a function answers on, prefix included. Throws when the host would not serve it, or this host cannot. */
export function parseRoute<Target>(
  target: Target,
  options: { readonly template: string; readonly prefix: string; readonly methods: readonly string[] },
): Route<Target> {
  const template = options.template.replace(/^\/+|\/+$/g, "");
  // The host's own check, and so it refuses "administrators" too.
  const reserved = ["admin", "runtime"].find((word) => template.toLowerCase().startsWith(word));
  if (reserved !== undefined)
    throw new Error(`The route "${template}" begins with "${reserved}", which the host keeps for itself.`);
  const path = options.prefix === "" ? template : `${options.prefix}/${template}`;
  const segments = path.split("/").map(parseSegment);
  const misplaced = segments.slice(0, -1).some((segment) => segment.kind === "rest" || isOptional(segment));
  if (misplaced)
    throw new Error(`The route "${path}" has an optional parameter or a catch-all that is not its last part.`);
  const methods = new Set(options.methods.map((method) => method.toUpperCase()));
  return { target, template: template.toLowerCase(), methods, segments };
}

/** Whether the host refuses one of the two: the same template for the same method. */
export function routesConflict(one: Route<unknown>, other: Route<unknown>): boolean {
  return one.template === other.template && [...one.methods].some((method) => other.methods.has(method));
}

/**
 * The first of the routes that takes this method and path, decoded but for `%2F`. So the order of `routes` is the
 * precedence.
 */
export function matchRoute<Target>(
  routes: readonly Route<Target>[],
  method: string,
  path: string,
): RouteMatch<Target> | undefined {
  // One slash at the end makes no difference.
  const parts = path.replace(/^\//, "").replace(/\/$/, "").split("/");
  for (const route of routes) {
    if (!route.methods.has(method)) continue;
    const params = matchSegments(route.segments, parts);
    if (params !== undefined) return { target: route.target, params };
  }
  return undefined;
}

function matchSegments(
  segments: readonly RouteSegment[],
  parts: readonly string[],
): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? "";
    switch (segment.kind) {
      case "literal":
        if (part.toLowerCase() !== segment.text.toLowerCase()) return undefined;
        break;
      case "parameter":
        if (part === "") {
          if (!segment.optional || index < parts.length - 1) return undefined;
          break;
        }
        if (!segment.accepts.every((pattern) => pattern.test(part))) return undefined;
        params[segment.name] = part;
        break;
      case "rest": {
        const rest = parts.slice(index).join("/");
        if (rest !== "") params[segment.name] = rest;
        return params;
      }
    }
  }
  return parts.length <= segments.length ? params : undefined;
}

function isOptional(segment: RouteSegment): boolean {
  return segment.kind === "parameter" && segment.optional;
}

function parseSegment(text: string): RouteSegment {
  const rest = /^\{\*{1,2}([^{}:=?*]+)\}$/.exec(text)?.[1];
  if (rest !== undefined) return { kind: "rest", name: rest };
  const parameter = /^\{([^{}:=?*]+)((?::[^{}:=?]+)*)(\?)?\}$/.exec(text);
  if (parameter !== null) {
    const [, name = "", rules = "", optional] = parameter;
    const accepts = rules.split(":").slice(1).map(parseConstraint);
    return { kind: "parameter", name, optional: optional !== undefined, accepts };
  }
  if (/[{}]/.test(text)) throw new Error(`The local host does not know the route part "${text}".`);
  return { kind: "literal", text };
}

function parseConstraint(name: string): RegExp {
  const pattern = constraints[name.toLowerCase()];
  if (pattern === undefined) throw new Error(`The local host does not know the route constraint "${name}".`);
  return pattern;
}
