// A service that takes orders: it loads an order's events, decides, and appends what was decided where it had stopped
// reading.
//
// Two instances of it may handle the same order at once: one wins, the other loads again and decides anew.

import { createServer } from "node:http";
import type { Server } from "node:http";
import { isStreamkitError, StreamkitClient } from "streamkit-client";
import type { SpaceClient } from "streamkit-client";

export type OrderEvent =
  | { readonly type: "placed"; readonly customer: string }
  | { readonly type: "added"; readonly item: string; readonly count: number }
  | { readonly type: "shipped" };

export type OrderCommand =
  | { readonly type: "place"; readonly customer: string }
  | { readonly type: "add"; readonly item: string; readonly count: number }
  | { readonly type: "ship" };

interface Order {
  readonly state: "new" | "open" | "shipped";
  readonly items: Readonly<Record<string, number>>;
}

function evolve({ state, items }: Order, event: OrderEvent): Order {
  switch (event.type) {
    case "placed":
      return { state: "open", items };
    case "added":
      return { state, items: { ...items, [event.item]: (items[event.item] ?? 0) + event.count } };
    case "shipped":
      return { state: "shipped", items };
  }
}

/** What the command leads to, or why it may not. */
function decide({ state, items }: Order, command: OrderCommand): OrderEvent | string {
  switch (command.type) {
    case "place":
      return state === "new" ? { type: "placed", customer: command.customer } : "The order is there already.";
    case "add":
      return state === "open" ? { type: "added", item: command.item, count: command.count } : "The order is not open.";
    case "ship":
      return state === "open" && Object.keys(items).length > 0 ? { type: "shipped" } : "There is nothing to ship.";
  }
}

async function handle(orders: SpaceClient<OrderEvent>, id: string, command: OrderCommand): Promise<Order | string> {
  const segment = orders.getSegmentClient(`order-${id}`);
  for (;;) {
    let order: Order = { state: "new", items: {} };
    let last = 0;
    for await (const { payload, sequence } of segment.read()) {
      order = evolve(order, payload);
      last = sequence;
    }
    const event = decide(order, command);
    if (typeof event === "string") return event;
    try {
      await segment.append({ payload: event }, { expected: last });
      return evolve(order, event);
    } catch (error) {
      if (!isStreamkitError(error, "sequence_mismatch")) throw error;
    }
  }
}

/** `POST /orders/{id}` with a command. */
export function orderService(url: string, storeId: string): Server {
  const orders = new StreamkitClient(url).getStoreClient(storeId).getSpaceClient<OrderEvent>("orders");
  return createServer((request, response) => {
    const answer = async (): Promise<void> => {
      let body = "";
      for await (const piece of request.setEncoding("utf8")) body += String(piece);
      const outcome = await handle(
        orders,
        (request.url ?? "").split("/").at(-1) ?? "",
        JSON.parse(body) as OrderCommand,
      );
      response.writeHead(typeof outcome === "string" ? 409 : 200).end(JSON.stringify(outcome));
    };
    answer().catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
}
