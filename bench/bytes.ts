// Stored bytes per event, by the service's formula of an entity's size: of what each produce adds, not of heads, which
// stay one.

import { zstdCompressor } from "../src/codec/zstd.ts";
import { entityBytes } from "../src/table/sizes.ts";
import type { Row } from "../src/table/port.ts";
import { events, eventText, largeBytes, smallBytes } from "./events.ts";
import type { Figure, Measure } from "./measure.ts";
import { writtenBy } from "./written.ts";

export const bytes: Measure = {
  name: "bytes",
  about: "Stored bytes per event, in the log and in the segment, after the service's formula.",
  run: async () => {
    const figures: Figure[] = [];
    for (const size of [smallBytes, largeBytes]) {
      for (const batch of [1, 10, 100]) {
        const alone = await zstdCompressor.compress(Buffer.from(texts(batch, size)));
        const json = `event of ${size} bytes in a batch of ${batch}: its JSON alone, compressed`;
        figures.push({ what: json, value: alone.byteLength / batch, unit: "bytes" });
        const written = await writtenBy(events(batch, size));
        const goal = size === smallBytes && batch === 100 ? { goal: { atMost: 20 } } : {};
        for (const view of ["log", "segment"] as const) {
          const what = `event of ${size} bytes in a batch of ${batch}: ${view}`;
          figures.push({ what, value: sizeOf(written[view].at(-1)) / batch, unit: "bytes", ...goal });
        }
      }
    }
    return figures;
  },
};

function texts(count: number, size: number): string {
  return Array.from({ length: count }, (_, index) => eventText(index, size)).join("\n");
}

function sizeOf(row: Row | undefined): number {
  if (row === undefined) throw new Error("A produce wrote nothing.");
  return entityBytes(row.partition, row.row, row.properties);
}
