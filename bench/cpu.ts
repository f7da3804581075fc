// What calls cost the app's processor: in process (the store alone) and over HTTP (the app's process, with the local
// host in it, which on Azure is another process), and where the most of it goes.

import { parseSegmentName } from "../src/core/ids.ts";
import { produceBody, withApp } from "./app.ts";
import { events, smallBytes } from "./events.ts";
import type { Figure, Measure, RunSize, Work } from "./measure.ts";
import { durations } from "./measure.ts";
import { profileOf, topOf } from "./profile.ts";
import { drain, newStore, startInstance, withStorage } from "./storage.ts";
import { space } from "./written.ts";

const batch = 100;
const entriesMax = 20_000;
const callers = 32;

export const cpu: Measure = {
  name: "cpu",
  about: "Processor time of the app's process, and its largest parts.",
  run: async (size) => [
    ...(await withStorage((storage) => inProcess(storage, size))),
    ...(await withStorage((storage) => overHttp(storage, size))),
  ],
};

async function inProcess(storage: string, size: RunSize): Promise<Figure[]> {
  const factory = startInstance(storage);
  const entries = entriesMax / size.divisor;
  const store = factory.open(newStore());
  const one = events(1, smallBytes);
  const many = events(batch, smallBytes);
  const segment = (worker: number): ReturnType<typeof parseSegmentName> => parseSegmentName(`order-${worker}`);
  const produceOne: Work = (worker) => drain(store.produce(space, segment(worker), one));
  const produceMany: Work = () => drain(store.produce(space, segment(1_000), many));
  const read = parseSegmentName("read");
  for (let at = 0; at < entries; at += batch) await drain(store.produce(space, read, many));
  const consume: Work = () => drain(store.consumeSegment(space, read));

  const timed = timedBy(size, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  });
  const figures = [
    ...(await timed("in process: produce of 1 record", 1, produceOne, 1)),
    ...(await timed(`in process: produce of 1 record, ${callers} at a time`, callers, produceOne, 1)),
    ...(await timed(`in process: record in a batch of ${batch}`, 1, produceMany, batch)),
    ...(await timed("in process: entry consumed", 1, consume, entries)),
  ];
  const produced = await profileOf(() => durations(callers, size.roundMs, produceOne));
  const consumed = await profileOf(() => durations(1, size.roundMs, consume));
  await factory.close();
  return [...figures, ...topOf("in process, produce", produced), ...topOf("in process, consume", consumed)];
}

function overHttp(storage: string, size: RunSize): Promise<Figure[]> {
  const entries = entriesMax / size.divisor;
  const [oneBody, manyBody] = [produceBody(1, smallBytes), produceBody(batch, smallBytes)];
  return withApp(storage, async (app) => {
    const { client } = app;
    const id = newStore();
    const reading = 2_000;
    const one: Work = (worker) => client.produce(id, worker, oneBody);
    const many: Work = () => client.produce(id, 1_000, manyBody);
    const consume: Work = () => client.consume(id, reading);
    for (let at = 0; at < entries; at += batch) await client.produce(id, reading, manyBody);
    const timed = timedBy(size, () => app.cpuMs());
    const figures = [
      ...(await timed("over HTTP: produce of 1 record", 1, one, 1)),
      ...(await timed(`over HTTP: produce of 1 record, ${callers} at a time`, callers, one, 1)),
      ...(await timed(`over HTTP: record in a batch of ${batch}`, 1, many, batch)),
      ...(await timed("over HTTP: entry consumed", 1, consume, entries)),
    ];
    const produced = await app.profile(() => durations(callers, size.roundMs, one));
    const consumed = await app.profile(() => durations(1, size.roundMs, consume));
    return [...figures, ...topOf("over HTTP, produce", produced), ...topOf("over HTTP, consume", consumed)];
  });
}

type Timed = (what: string, workers: number, work: Work, pieces: number) => Promise<Figure[]>;

/** After a first round, so that what runs is compiled. `pieces`: what one work counts for. */
function timedBy(size: RunSize, cpuMs: () => number): Timed {
  return async (what, workers, work, pieces) => {
    await durations(workers, size.roundMs / 2, work);
    const before = cpuMs();
    const { length } = await durations(workers, size.roundMs, work);
    return [{ what, value: ((cpuMs() - before) * 1_000) / (length * pieces), unit: "us" }];
  };
}
