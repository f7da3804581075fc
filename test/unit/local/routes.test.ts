import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTarget } from "../../../scripts/local/http-target.ts";
import { matchRoute, parseRoute, type Route, routesConflict } from "../../../scripts/local/routes.ts";

function route(template: string, prefix = "", methods = ["GET"]): Route<string> {
  return parseRoute(template, { template, prefix, methods });
}

function params(template: string, path: string): Readonly<Record<string, string>> | undefined {
  const target = readTarget({ method: "GET", url: path, headers: {}, rawHeaders: [] });
  return target.kind === "path" ? matchRoute([route(template)], "GET", target.path)?.params : undefined;
}

describe("a template", () => {
  test.for([
    ["things", "/things", {}],
    ["/things/", "/things/", {}],
    ["things", "/THINGS", {}],
    ["things", "/thing", undefined],
    ["things", "/things/1", undefined],
    ["things/{id}", "/things/1", { id: "1" }],
    ["things/{id}", "/things", undefined],
    ["things/{id}", "/things/", undefined],
    ["things/{id}", "/things//", undefined],
    ["things/{id?}", "/things", {}],
    ["things/{id?}", "/things/1", { id: "1" }],
    ["{a}/x/{b}", "/1/X/2", { a: "1", b: "2" }],
    ["things/{*rest}", "/things/1/2/3", { rest: "1/2/3" }],
    ["things/{**rest}", "/things", {}],
    ["{id:int}", "/12", { id: "12" }],
    ["{id:int}", "/x", undefined],
    ["{id:alpha:bool}", "/true", { id: "true" }],
    ["{id:alpha:bool}", "/truth", undefined],
    ["{id:guid}", "/0199a3c6-5d1e-7c40-9a51-3f0c8e4b7d21", { id: "0199a3c6-5d1e-7c40-9a51-3f0c8e4b7d21" }],
  ] as const)("%s against %s gives %o", ([template, path, expected]) => {
    expect(params(template, path)).toEqual(expected);
  });

  test.for([
    ["/caf%C3%A9", "café"],
    ["/a%2Fb", "a%2Fb"],
    ["/a%2fb%20c", "a%2fb c"],
    // So it cannot be told from the one above: names are taken from the raw path.
    ["/a%252Fb", "a%2Fb"],
    ["/100%", "100%"],
    ["/%FF", "%FF"],
    ["/a+b", "a+b"],
  ] as const)("hands over %s as %s", ([path, name]) => {
    expect(params("{name}", path)).toEqual({ name });
  });

  test("hands over any name that was percent-encoded, but for slashes", () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((text) => !/[/\0]|%2f/i.test(text) && text !== "." && text !== "..");
    fc.assert(
      fc.property(name, (text) => {
        expect(params("x/{name}", `/x/${encodeURIComponent(text)}`)).toEqual({ name: text });
      }),
    );
  });

  test("goes under the prefix", () => {
    expect(matchRoute([route("things", "api/v1")], "GET", "/api/v1/things")?.target).toBe("things");
    expect(matchRoute([route("things", "api/v1")], "GET", "/things")).toBeUndefined();
  });

  test.for(["admin", "Admin/x", "administrators", "runtime/x", "{id:even}", "a-{b}.{c}", "{a?}/b", "{*a}/b"])(
    "%s is refused",
    (template) => {
      expect(() => route(template)).toThrow();
    },
  );
});

describe("of several routes", () => {
  test("the first that takes path and method answers, however well another one fits", () => {
    const routes = [route("{id}", "", ["PUT"]), route("{id}"), route("literal")];
    expect(matchRoute(routes, "GET", "/literal")?.target).toBe("{id}");
    expect(matchRoute(routes, "PUT", "/literal")?.target).toBe("{id}");
    expect(matchRoute(routes, "DELETE", "/literal")).toBeUndefined();
  });

  test("two conflict by the same template for a shared method", () => {
    expect(routesConflict(route("A/{x}"), route("a/{x}/"))).toBe(true);
    expect(routesConflict(route("a/{x}"), route("a/{y}"))).toBe(false);
    expect(routesConflict(route("a", "", ["GET"]), route("a", "", ["PUT"]))).toBe(false);
  });
});
