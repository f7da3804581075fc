// The schemas of the OpenAPI document, in the form that generators of clients make good types of.
//
// Promise: every body and every enumeration is a component with a name; an integer that may pass 2^31 says so; what a
// body may leave out it may also have as null, as serialisers write what is not there. Bodies are closed, since an
// unknown member is refused; answers are open, so that a strict reader of today goes on when they get a member more.

import * as z from "zod";

export type Json = Readonly<Record<string, unknown>>;

const int32Max = 2 ** 31 - 1;

/** Collects what is referred to beside those that refer to it. */
export class Components {
  readonly schemas: Record<string, unknown> = {};

  /** `name`: of its component, where the schema has none of its own. */
  body(schema: z.ZodType, io: "input" | "output", name: string): Json {
    const described = this.#schema(schema, io);
    if ("$ref" in described || !("properties" in described)) return described;
    return this.#component(name, described);
  }

  /** One parameter's, its description apart. `name` is the parameter's. */
  parameter(schema: z.ZodType, name: string): { readonly type: Json; readonly description: string | undefined } {
    const described = this.#schema(schema, "input", name);
    return {
      type: without(described, "description", "examples"),
      description: described["description"] as string | undefined,
    };
  }

  named(schema: z.ZodType, io: "input" | "output"): void {
    this.#schema(schema, io);
  }

  line(schema: z.ZodType, io: "input" | "output"): Json {
    return this.#schema(schema, io);
  }

  #schema(schema: z.ZodType, io: "input" | "output", name?: string): Json {
    const { $defs, ...own } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
    for (const [id, definition] of Object.entries($defs ?? {})) {
      this.#component(id, this.#rewritten(without(definition as Json, "id"), io) as Json);
    }
    const { id } = schema.meta() ?? {};
    const described = this.#rewritten(without(own, "id", "$schema"), io, name) as Json;
    return id === undefined || "$ref" in own ? described : this.#component(id, described);
  }

  #component(name: string, schema: Json): Json {
    const before = this.schemas[name];
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(schema)) {
      throw new Error(`Two schemas are called ${name}.`);
    }
    this.schemas[name] = schema;
    return { $ref: `#/components/schemas/${name}` };
  }

  /** `name`: of the member or parameter that the schema is of. */
  #rewritten(value: unknown, io: "input" | "output", name?: string): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#rewritten(item, io));
    if (typeof value !== "object" || value === null) return value;
    const given = value as Json;
    if (io === "input" && given["readOnly"] === true) return this.#rewritten(value, "output", name);
    const schema = io === "output" && isClosed(given) ? without(given, "additionalProperties") : given;
    if (typeof schema["$ref"] === "string") {
      return { ...schema, $ref: schema["$ref"].replace("#/$defs/", "#/components/schemas/") };
    }
    if (Array.isArray(schema["enum"]) && name !== undefined) return this.#enumeration(schema, name);
    const properties = schema["properties"] as Json | undefined;
    const required = (schema["required"] ?? []) as readonly string[];
    return {
      ...Object.fromEntries(
        Object.entries(schema).map(([key, member]) => [
          key,
          plainKeys.has(key) ? member : this.#rewritten(member, io, name),
        ]),
      ),
      ...(properties === undefined
        ? {}
        : {
            properties: Object.fromEntries(
              Object.entries(properties).map(([key, member]) => {
                const described = this.#rewritten(member, io, key) as Json;
                return [key, io === "input" && !required.includes(key) ? orNull(described) : described];
              }),
            ),
          }),
      ...(schema["type"] === "integer" ? { format: formatOf(schema) } : {}),
    };
  }

  #enumeration(schema: Json, name: string): Json {
    const { description, title = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}` } = schema;
    const reference = this.#component(String(title), without(schema, "description", "title"));
    return description === undefined ? reference : { ...reference, description };
  }
}

/** Values, not schemas. */
const plainKeys = new Set(["examples", "example", "default", "const", "enum", "required"]);

function without(schema: Json, ...keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !keys.includes(key)));
}

function isClosed({ type, additionalProperties }: Json): boolean {
  return type === "object" && additionalProperties === false;
}

function formatOf({ maximum }: Json): string {
  return typeof maximum === "number" && maximum <= int32Max ? "int32" : "int64";
}

function orNull(schema: Json): Json {
  const { type } = schema;
  if (typeof type === "string") return { ...schema, type: [type, "null"] };
  if ("$ref" in schema) return { anyOf: [schema, { type: "null" }] };
  return schema;
}
