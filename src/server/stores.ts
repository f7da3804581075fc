// The stores of the deployment: a page of them, one of them, and its label.

import type { StoreFacts } from "../store/catalog.ts";
import { parseObject } from "../wire/parse.ts";
import {
  storeGet as storeGetOperation,
  storePut as storePutOperation,
  storePutBodySchema,
  stores as storesOperation,
} from "../wire/operations/stores.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import { bodyText } from "./body.ts";
import { endpoint, jsonAnswer } from "./endpoint.ts";

export const stores = endpoint(storesOperation, async (services, { query }) => {
  const { limit = wireLimits.pageStoresMax, next: after } = query;
  const page = await services.catalog.list({ after, limit });
  const last = page.stores.at(-1);
  const more = page.isMore && last !== undefined ? { next: last.id } : {};
  return jsonAnswer(JSON.stringify({ stores: page.stores.map(shownStore), ...more }));
});

export const storeGet = endpoint(storeGetOperation, async (services, call) => {
  return jsonAnswer(JSON.stringify(shownStore(await services.catalog.get(call.params.store))));
});

export const storePut = endpoint(storePutOperation, async (services, call) => {
  const { label } = parseObject(storePutBodySchema, await bodyText(storePutOperation, call));
  return jsonAnswer(JSON.stringify(shownStore(await services.catalog.setLabel(call.params.store, label))));
});

function shownStore({ id, label, removedFrom, state }: StoreFacts) {
  return { id, label, state, removedFrom };
}
