// Mistakes of the monitor and of writers that must be found by it.

import type { Mutation } from "./mutation.ts";
import { azure, mutation } from "./mutation.ts";

/** Does nothing and says that it was done. */
const pretended = `(async (..._: unknown[]) => ({ kind: "done" as "done" | "refused" }))`;
const fenceSubmit = "const fenced = await table.submit(reader.partition, [";

export const recovering: readonly Mutation[] = [
  mutation(
    "deregistered-without-fence",
    300,
    "deregister without fencing",
    azure("monitor/monitor", fenceSubmit, `const fenced = await ${pretended}(reader.partition, [`),
  ),
  mutation(
    "fence-skipped",
    600,
    "fence skipped when the head already says no",
    azure(
      "monitor/monitor",
      fenceSubmit,
      `const fenced = await (seen.head.registered || seen.etag === undefined ? table.submit.bind(table) : ${pretended})(reader.partition, [`,
    ),
  ),
  mutation(
    "fence-of-unknown-outcome",
    600,
    "fence of unknown outcome taken as done",
    azure(
      "monitor/monitor",
      "properties, ifMatch: seen.etag },\n    ]);",
      `properties, ifMatch: seen.etag },\n    ]).catch(() => ({ kind: "done" as const }));`,
    ),
  ),
  mutation(
    "headless-row-deleted",
    2000,
    "row without head deleted",
    azure(
      "monitor/monitor",
      fenceSubmit,
      `const fenced = await (seen.etag === undefined ? ${pretended} : table.submit.bind(table))(reader.partition, [`,
    ),
  ),
  mutation(
    "row-age-ignored",
    300,
    "a log closed whose row was written lately",
    azure(
      "monitor/monitor",
      "if (!rests(row.writtenAt) || !rests(seen.writtenAt)) return false;",
      "if (!rests(seen.writtenAt)) return false;",
    ),
  ),
  mutation(
    "row-deleted-whatever",
    300,
    "row deleted with *",
    azure(
      "monitor/monitor",
      `{ kind: "delete", row: row.row, ifMatch: row.etag }`,
      `{ kind: "delete", row: row.row, ifMatch: "*" }`,
    ),
  ),
  mutation(
    "registered-by-insert",
    1500,
    "register by insert",
    azure("log/registration", `{ kind: "upsert", row, properties`, `{ kind: "insert", row, properties`),
    azure(
      "log/registration",
      `if (result.kind === "done") return;`,
      `if (result.kind === "done" || result.reason === "exists") return;`,
    ),
    azure(
      "log/registration",
      `if (again.kind === "refused") throw`,
      `if (again.kind === "refused" && again.reason !== "exists") throw`,
    ),
  ),
  mutation(
    "registration-kept",
    300,
    "registration kept over a 412",
    azure(
      "log/registration",
      "if (this.#last?.version === version) return this.#last.done;",
      "if (this.#last !== undefined) return this.#last.done;",
    ),
  ),
  mutation(
    "future-trusted",
    300,
    "times in the future trusted: never due",
    azure(
      "monitor/overdue-notifications",
      "return ageMs <= -dateResolutionMs || ageMs >= graceMs;",
      "return ageMs >= graceMs;",
    ),
  ),
];
