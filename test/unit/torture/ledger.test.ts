// The judge of the torture is judged: each kind of lie is noticed.

import { describe, expect, test } from "vitest";
import { Ledger } from "../../torture/ledger.ts";
import type { ReadEntry } from "../../torture/ledger.ts";

function entry(text: string, place: Partial<Omit<ReadEntry, "trx">> & { trx?: Partial<ReadEntry["trx"]> }): ReadEntry {
  const { trx, ...rest } = place;
  return {
    space: "orders",
    segment: "s",
    sequence: 1,
    timestamp: 1,
    payload: text,
    ...rest,
    trx: { id: "t1", node: "n", number: 1, ...trx },
  };
}

const first = entry("a", {});
const second = entry("b", { sequence: 2, timestamp: 2, trx: { id: "t2", number: 2 } });

/** `a` was acknowledged, `b` is open, `c` was refused. */
function ledger(): Ledger {
  const book = new Ledger();
  const place = { id: "t1", number: 1, firstSequence: 1, lastSequence: 1 };
  book.open("orders", [{ segment: "s", texts: ["a"] }]).fate = { kind: "acknowledged", places: [place] };
  book.open("orders", [{ segment: "s", texts: ["b"] }]);
  book.open("orders", [{ segment: "s", texts: ["c"] }]).fate = { kind: "none" };
  book.open("orders", [{ segment: "s", texts: ["d", "e"] }]);
  return book;
}

test("acknowledged records are there, open ones may be, refused ones are not: no complaint", () => {
  expect(ledger().judge("orders", [first, second])).toEqual([]);
  expect(ledger().judge("orders", [first])).toEqual([]);
  expect(ledger().counts()).toEqual({ acknowledged: 1, committed: 0, none: 1, open: 3 });
});

describe("it is noticed when", () => {
  const third = (text: string): ReadEntry => entry(text, { sequence: 3, timestamp: 3, trx: { id: "t3", number: 3 } });
  test.each<[string, readonly ReadEntry[], string]>([
    ["an acknowledged record is lost", [], "was acknowledged, and is not there"],
    ["an acknowledged record is elsewhere", [{ ...first, segment: "other" }], "was acknowledged at s 1"],
    ["an acknowledged record has another transaction", [entry("a", { trx: { id: "t9" } })], "was acknowledged at s 1"],
    ["a record is there twice", [first, second, third("b")], '"b" is there 2 times'],
    ["a refused record is there", [first, second, third("c")], "was said not to have happened"],
    ["a part of what is all or nothing is there", [first, second, third("d")], 'only a part of "d"'],
    ["a record is there that nobody produced", [first, second, third("z")], 'nobody produced "z"'],
    ["the order of the space is broken", [second, first], "comes after"],
    ["a sequence is left out", [first, { ...second, sequence: 3 }], "follows 1"],
    ["a transaction number is left out", [first, entry("b", { ...second, trx: { id: "t2", number: 3 } })], "not 2"],
    ["two transactions share an id", [first, entry("b", { sequence: 2, timestamp: 2, trx: { node: "m" } })], "two"],
  ])("%s", (_, entries, problem) => {
    expect(ledger().judge("orders", entries).join("\n")).toContain(problem);
  });

  test("what was said to be durable is not there", () => {
    const book = new Ledger();
    book.open("orders", [{ segment: "s", texts: ["a"] }]).fate = { kind: "committed" };
    expect(book.judge("orders", [first])).toEqual([]);
    expect(book.judge("orders", [])).toHaveLength(1);
  });

  test("a loser was told of another winner than there is", () => {
    const book = ledger();
    const lost = book.open("orders", [{ segment: "s", texts: ["l"] }]);
    lost.fate = { kind: "none" };
    lost.winner = { segment: "s", sequence: 1, id: "t1" };
    expect(book.judge("orders", [first, second])).toEqual([]);
    lost.winner = { segment: "s", sequence: 1, id: "t2" };
    expect(book.judge("orders", [first, second])).toHaveLength(1);
  });
});
