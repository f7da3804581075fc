// An application that is told of changes by a queue of its own, and reads what is new with a cursor.
import { app } from "@azure/functions";

interface StatusMessage {
  readonly version: number;
  readonly store: string;
  readonly space: string;
  readonly statuses: readonly { readonly segment: string; readonly lastSequence: number }[];
}
interface Page {
  readonly entries: readonly { readonly payload: unknown }[];
  readonly next: string;
}

// An application keeps this with what it makes of the entries, in one transaction.
const cursors = new Map<string, string>();
const payloads: unknown[] = [];

async function readOn({ store, space }: StatusMessage): Promise<void> {
  const url = `${process.env["STREAMKIT_URL"] ?? ""}/v1/stores/${store}/spaces/${encodeURIComponent(space)}/entries`;
  for (;;) {
    const offset = cursors.get(space) ?? "";
    const answer = await fetch(`${url}?encoding=json&offset=${offset}`);
    if (!answer.ok) throw new Error(`Reading failed: ${answer.status}.`);
    const { entries, next } = (await answer.json()) as Page;
    // Another message may have been faster.
    if (offset !== (cursors.get(space) ?? "")) continue;
    payloads.push(...entries.map(({ payload }) => payload));
    cursors.set(space, next);
    if (entries.length === 0) return;
  }
}

app.storageQueue("on-status", {
  queueName: "%STATUS_QUEUE%",
  connection: "AzureWebJobsStorage",
  handler: async (message) => {
    const notification = message as StatusMessage;
    if (notification.version !== 1) throw new Error(`A message of version ${notification.version} is not known here.`);
    await readOn(notification);
  },
});

app.http("payloads", {
  authLevel: "anonymous",
  route: "payloads",
  handler: () => ({ jsonBody: payloads }),
});
