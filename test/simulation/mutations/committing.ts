// Mistakes in committing, and in finding out what became of a commit.

import type { Mutation } from "./mutation.ts";
import { azure, mutation } from "./mutation.ts";

const inSend = `version.etag === undefined
        ? { kind: "insert", row: reader.headRow, properties }
        : { kind: "replace", row: reader.headRow, properties, ifMatch: version.etag },`;

export const committing: readonly Mutation[] = [
  mutation(
    "commit-unconditional",
    50,
    "commit without the condition",
    azure("appender", inSend, `{ kind: "upsert", row: reader.headRow, properties },`),
  ),
  mutation(
    "blind-resend",
    50,
    "resend after an unknown outcome without looking for the own record",
    azure("log-state", "const own = attempts.find(", "const own = ([] as Attempt[]).find("),
  ),
  mutation(
    "refused-taken-as-lost",
    300,
    "412 taken as lost",
    azure(
      "appender",
      `turns.lost();
      this.#stale = true;`,
      `turns.lost();
      state.refuted(attempt);
      this.#stale = true;`,
    ),
    azure(
      "log-state",
      "  sent(attempt: Attempt): void {",
      `  refuted(attempt: Attempt): void {
    this.#attempts = this.#attempts.filter((other) => other !== attempt);
    for (const intent of attempt.members.keys()) intent.mayBeInLog = false;
  }

  sent(attempt: Attempt): void {`,
    ),
  ),
  mutation(
    "only-last-attempt",
    1000,
    "only the last attempt looked for",
    azure("log-state", "this.#attempts.push(attempt);", "this.#attempts = [attempt];"),
  ),
  mutation(
    "own-records-not-looked-up",
    500,
    "own attempts forgotten by who starts from a head alone",
    azure(
      "appender",
      "reader.readRecordsAt(state.attempts.map((attempt) => attempt.record.timestamp))",
      "[] as never[]",
    ),
  ),
  mutation(
    "unknown-as-none",
    300,
    "unknown answered as none",
    azure("queue", `const effect = mayBeInLog ? "unknown" : "none";`, `const effect = "none";`),
  ),
  mutation(
    "sent-after-expiry",
    300,
    "what was answered as expired is sent all the same",
    azure("appender", "if ([...accepted.keys()].some((intent) => !queue.has(intent))) return true;", ""),
  ),
  mutation(
    "record-id-reused",
    50,
    "record id reused for other content",
    azure(
      "commit",
      "recordId: random.uuid(),",
      'recordId: node.slice(0, 24) + String(version.head.count).padStart(12, "0"),',
    ),
  ),
  mutation(
    "not-validated-again",
    50,
    "not validating again after a refresh",
    azure(
      "plan",
      "const repeated = this.#repeated(intent);",
      `if ((intent as { wasSent?: boolean }).wasSent === true) return this.#accept(intent);
    const repeated = this.#repeated(intent);`,
    ),
    azure(
      "log-state",
      "for (const intent of attempt.members.keys()) intent.mayBeInLog = true;",
      "for (const intent of attempt.members.keys()) Object.assign(intent, { mayBeInLog: true, wasSent: true });",
    ),
  ),
  mutation(
    "local-clock",
    50,
    "local clock as timestamp, without regard to the last record's",
    azure(
      "appender",
      "const timestamp = Math.max(serviceClock.now(), version.head.timestamp + 1);",
      "const timestamp = serviceClock.now();",
    ),
  ),
  mutation(
    "local-clock-trusted",
    50,
    "a clock that is far from the service's trusted",
    azure("service-clock", "Math.abs(service - now) > toleratedMs ? service : now", "now"),
  ),
  mutation(
    "lease-not-fenced",
    50,
    "a lease that has passed on still writes",
    azure("plan", "return lease.token < token ?", "return lease.token < 0 ?"),
  ),
];
