// Mistakes in committing, and in finding out what became of a commit.

import type { Mutation } from "./mutation.ts";
import { azure, mutation } from "./mutation.ts";

const inSend = `etag === undefined
        ? { kind: "insert", row: headRow, properties }
        : { kind: "replace", row: headRow, properties, ifMatch: etag },`;

export const committing: readonly Mutation[] = [
  mutation(
    "counts-taken-as-zero",
    50,
    "counts that are not known taken as zero",
    azure("append/commit", "const begins = before.count === 0 && ", "const begins = before.count >= 0 && "),
  ),
  mutation(
    "commit-unconditional",
    50,
    "commit without the condition",
    azure("append/commit", inSend, `{ kind: "upsert", row: headRow, properties },`),
  ),
  mutation(
    "blind-resend",
    50,
    "resend after an unknown outcome without looking for the own record",
    azure("append/log-state", "const own = attempts.find(", "const own = ([] as Attempt[]).find("),
  ),
  mutation(
    "refused-taken-as-lost",
    300,
    "412 taken as lost",
    azure(
      "append/appender",
      `turns.lostRace();
      this.#stale = true;`,
      `turns.lostRace();
      state.refuted(attempt);
      this.#stale = true;`,
    ),
    azure(
      "append/log-state",
      "  sent(attempt: Attempt): void {",
      `  refuted(attempt: Attempt): void {
    this.#attempts = this.#attempts.filter((other) => other !== attempt);
    for (const request of attempt.members.keys()) request.mayBeInLog = false;
    this.#open.clear();
  }

  sent(attempt: Attempt): void {`,
    ),
  ),
  mutation(
    "only-last-attempt",
    1000,
    "only the last attempt looked for",
    azure("append/log-state", "this.#attempts.push(attempt);", "this.#attempts = [attempt];"),
  ),
  mutation(
    "own-records-not-looked-up",
    500,
    "own attempts forgotten by who starts from a head alone",
    azure(
      "append/catch-up",
      "return [recordId, await reader.fateOf(timestamp, recordId)] as const;",
      'return [recordId, "never"] as const;',
    ),
  ),
  mutation(
    "unknown-as-none",
    300,
    "unknown answered as none",
    azure(
      "append/queue",
      `return request.mayBeInLog || this.#hooks.mayBeInLog(request) ? "unknown" : "none";`,
      `return "none";`,
    ),
  ),
  mutation(
    "none-beside-another-call",
    300,
    "a repeat is told none while the commit of another call with its id may still land",
    azure("append/queue", `request.mayBeInLog || this.#hooks.mayBeInLog(request)`, `request.mayBeInLog`),
    azure(
      "append/queue",
      "waiting.mayBeInLog ||= landed !== undefined &&",
      "waiting.mayBeInLog &&= landed !== undefined &&",
    ),
  ),
  mutation(
    "sent-after-expiry",
    300,
    "what was answered as expired is sent all the same",
    azure("append/appender", "if ([...accepted.keys()].some((request) => !queue.has(request))) return true;", ""),
  ),
  mutation(
    "record-id-reused",
    50,
    "record id reused for other content",
    azure(
      "append/commit",
      "recordId: random.uuid(),",
      'recordId: node.slice(0, 24) + String(version.head.count).padStart(12, "0"),',
    ),
  ),
  mutation(
    "not-validated-again",
    50,
    "not validating again after a refresh",
    azure(
      "append/plan",
      "const repeated = this.#repeated(request);",
      `if ((request as { wasSent?: boolean }).wasSent === true) return this.#accept(request);
    const repeated = this.#repeated(request);`,
    ),
    azure(
      "append/log-state",
      "for (const request of attempt.members.keys()) request.mayBeInLog = true;",
      "for (const request of attempt.members.keys()) Object.assign(request, { mayBeInLog: true, wasSent: true });",
    ),
  ),
  mutation(
    "lease-dropped-and-forgotten",
    300,
    "an old token taken where its lease was dropped to make room",
    azure(
      "append/plan",
      "committed === undefined ? lease.token === lastToken :",
      "committed === undefined ? lease.token <= lastToken :",
    ),
  ),
  mutation(
    "lease-never-granted",
    300,
    "a token taken that was never granted",
    azure(
      "append/plan",
      "lease.token === lastToken : lease.token <= lastToken;",
      "lease.token >= lastToken : lease.token > 0;",
    ),
  ),
  mutation(
    "local-clock",
    50,
    "local clock as timestamp, without regard to the last record's",
    azure(
      "append/appender",
      "const timestamp = Math.max(serviceClock.now(), version.head.timestamp + 1);",
      "const timestamp = serviceClock.now();",
    ),
  ),
  mutation("local-clock-trusted", 50, "a clock that is far from the service's trusted", {
    file: "src/core/clock.ts",
    find: "Math.abs(service - now) > toleratedMs ? service : now",
    replace: "now",
  }),
  mutation(
    "lease-not-fenced",
    50,
    "a lease that has passed on still writes",
    azure("append/plan", "if (lease.token < token) return", "if (lease.token < 0) return"),
  ),
];
