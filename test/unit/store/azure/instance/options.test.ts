import { expect, test } from "vitest";
import { resolveOptions } from "../../../../../src/store/azure/instance/options.ts";

test("options that are left out have their defaults", () => {
  expect(resolveOptions()).toMatchObject({ tablePrefix: "streamkit", batchOperations: 90, batchBytes: 3_932_160 });
});

test.each([
  [{ applyWorkers: 0 }, "applyWorkers: expected an integer from 1 to 256."],
  [{ batchOperations: 101 }, "batchOperations: expected an integer from 4 to 100."],
  [{ walGraceMs: 1.5 }, "walGraceMs: expected an integer from 0 to 3600000."],
  [{ tablePrefix: "1st" }, "tablePrefix: expected 1 to 21 letters and digits, a letter first."],
])("%j is refused by name, with what may be", (options, sentence) => {
  expect(() => resolveOptions(options)).toThrow(
    expect.objectContaining({ code: "invalid_argument", message: sentence }),
  );
});

test("an option that does not exist is named", () => {
  const mistyped: object = { applyWorker: 1 };
  expect(() => resolveOptions(mistyped)).toThrow("applyWorker: expected no option of this name.");
});
