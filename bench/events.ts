// The events that are written: JSON as applications write it, of an exact size, the same in every run.

import type { AppendRecord } from "../src/core/entry.ts";
import { noMetadata } from "../src/core/entry.ts";

export const smallBytes = 115;
export const largeBytes = 1_024;

/** One event's text, of exactly so many bytes: fields that repeat in every event, and values that do not. */
export function eventText(index: number, bytes: number): string {
  const event = (customer: string): Record<string, unknown> => ({
    type: index % 3 === 0 ? "order-paid" : "order-placed",
    order: `order-${100_000 + index}`,
    customer,
    cents: 499 + 500 * (scrambled(index + 7) % 20),
    at: new Date(Date.UTC(2030, 0, 1) + index * 1_371).toISOString(),
  });
  const left = bytes - JSON.stringify(event("")).length;
  // Small events are filled up with the digits of a number, large ones with text.
  if (left >= 4 && left < 40)
    return JSON.stringify(event(`c-${String(scrambled(index) % 100).padStart(left - 2, "0")}`));
  return JSON.stringify({ ...event("c-000"), note: words(index, left - noteBytes) });
}

/** `c-000,"note":""` */
const noteBytes = 15;

export function events(count: number, bytes: number, from = 0): AppendRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    payload: Buffer.from(eventText(from + index, bytes)),
    metadata: noMetadata,
  }));
}

/** The same number for the same index, spread over 31 bits. */
function scrambled(index: number): number {
  return Math.imul(index + 1, 0x9e3779b1) >>> 1;
}

const vocabulary = "left at the door of a neighbour who was asked to keep it until the evening".split(" ");

/** Text of exactly so many characters, in another order for each index. */
function words(index: number, characters: number): string {
  let text = "";
  for (let at = 0; text.length < characters; at += 1) {
    text += `${vocabulary[scrambled(index * 131 + at) % vocabulary.length] ?? ""} `;
  }
  return text.slice(0, characters);
}
