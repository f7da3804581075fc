// Timer and queue functions that write down what they were handed.

import { setTimeout as sleep } from "node:timers/promises";
import { app } from "@azure/functions";
import { seen } from "./seen.ts";

app.timer("by-hand", { schedule: "0 0 0 1 1 *", handler: () => void (seen.byHand += 1) });

app.timer("at-start", {
  schedule: "0 0 0 1 1 *",
  runOnStartup: true,
  handler: (timer) => void seen.atStart.push(timer),
});

// Each run takes longer than the time to the next.
app.timer("slow", {
  schedule: "%SLOW_SCHEDULE%",
  handler: async (timer) => {
    seen.slow.running += 1;
    seen.slow.atOnce = Math.max(seen.slow.atOnce, seen.slow.running);
    seen.slow.runs.push({ isPastDue: timer.isPastDue });
    await sleep(1400);
    seen.slow.running -= 1;
  },
});

app.timer("no-setting", { schedule: "%NOWHERE%", handler: () => undefined });

app.storageQueue("on-message", {
  queueName: "%TEST_QUEUE%",
  connection: "Messages",
  handler: (message, context) => {
    const { triggerMetadata: metadata } = context;
    seen.messages.push({ text: message, tries: Number(metadata?.["dequeueCount"]), metadata });
    if (typeof message === "object" && message !== null && "fail" in message) throw new Error("refused by the fixture");
  },
});
