// Server-sent events (the WHATWG's event stream format), as far as the service uses it: comments, `event`, `id` and one
// line of `data`.

export interface ServerEvent {
  /** `message` when it has no name. */
  readonly name: string;
  /** Where to go on after it, for `Last-Event-ID`; undefined when it does not say. */
  readonly id: string | undefined;
  readonly data: string;
}

export async function* eventsOf(lines: AsyncIterable<string>): AsyncGenerator<ServerEvent, void, undefined> {
  let name = "message";
  let id: string | undefined;
  let data: string | undefined;
  for await (const line of lines) {
    if (line === "") {
      if (data !== undefined) yield { name, id, data };
      [name, id, data] = ["message", undefined, undefined];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") name = value;
    else if (field === "id") id = value;
    else if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
  }
}
