// Status notifications as messages of one queue.

import type { StatusNotifier } from "../store/notifier.ts";
import { messagesOf } from "./message.ts";
import type { MessageQueue } from "./queue.ts";

/** Rejects when one of its messages may not have been taken; the whole is then sent again by whoever retries. */
export function createQueueStatusNotifier(queue: MessageQueue): StatusNotifier {
  return {
    notify: async (notification, signal) => {
      for (const text of messagesOf(notification)) await queue.send(text, signal);
    },
  };
}
