// What settings mean, and which cannot be: the sentences that a start ends with are in test/e2e/settings.test.ts.

import { describe, expect, test } from "vitest";
import { checkQueueName } from "../../src/notify/queue.ts";
import { parseSettings, unknownSettings } from "../../src/settings.ts";

const parse = (env: Record<string, string>) =>
  parseSettings({ AzureWebJobsStorage: "UseDevelopmentStorage=true", ...env });

describe("the notifications' queue", () => {
  test("is the deployment's own: two deployments in one account do not take each other's messages", () => {
    expect(parse({}).notificationsQueue).toBe("streamkit-status");
    expect(parse({ STREAMKIT_TABLE_PREFIX: "Orders2" }).notificationsQueue).toBe("orders2-status");
    expect(parse({ STREAMKIT_NOTIFICATIONS_QUEUE: "mine" }).notificationsQueue).toBe("mine");
  });

  test.each(["", "-"])("is none with %j", (value) => {
    expect(parse({ STREAMKIT_NOTIFICATIONS_QUEUE: value }).notificationsQueue).toBeUndefined();
    expect(parse({ STREAMKIT_NOTIFICATIONS_QUEUE: value }).retriesQueue).toBeUndefined();
  });

  test("leaves room for the names of the queues beside it", () => {
    const name = "q".repeat(50);
    expect(parse({ STREAMKIT_NOTIFICATIONS_QUEUE: name }).notificationsQueue).toBe(name);
    expect(parse({ STREAMKIT_NOTIFICATIONS_QUEUE: name }).retriesQueue).toBe(`${name}-retry`);
    for (const other of ["-poison", "-retry-poison"]) expect(() => checkQueueName(`${name}${other}`)).not.toThrow();
    for (const wrong of ["q".repeat(51), "qq", "a--b", "-a-", "Status", "a_b"]) {
      expect(() => parse({ STREAMKIT_NOTIFICATIONS_QUEUE: wrong }), wrong).toThrow(/50 lower-case letters/);
    }
  });
});

test.each(["a--b-", "-ab", "ab", "Sub-", "s".repeat(32)])("no queue can begin with %j", (prefix) => {
  expect(() => parse({ STREAMKIT_SUBSCRIPTION_QUEUE_PREFIX: prefix })).toThrow(/single dashes/);
});

describe("the origins of pages", () => {
  test("are none, all, or those that are named", () => {
    expect(parse({}).origins).toEqual(new Set());
    expect(parse({ STREAMKIT_CORS_ORIGINS: "" }).origins).toEqual(new Set());
    expect(parse({ STREAMKIT_CORS_ORIGINS: "*" }).origins).toBe("*");
    expect(parse({ STREAMKIT_CORS_ORIGINS: "https://a.example, http://localhost:5173/" }).origins).toEqual(
      new Set(["https://a.example", "http://localhost:5173"]),
    );
  });

  test("that are none stop the start with what is right", () => {
    expect(() => parse({ STREAMKIT_CORS_ORIGINS: "a.example" })).toThrow(
      "STREAMKIT_CORS_ORIGINS: expected * or origins such as https://app.example.com,http://localhost:5173.",
    );
  });
});

test("a schedule that the host would not take stops the start", () => {
  expect(parse({ STREAMKIT_MONITOR_SCHEDULE: "*/5 * * * * *" }).monitorSchedule).toBe("*/5 * * * * *");
  expect(() => parse({ STREAMKIT_MONITOR_SCHEDULE: "a b c d e f" })).toThrow(/NCRONTAB/);
});

test("settings that are none are named", () => {
  const env = { STREAMKIT_AUTH: "key", STREAMKIT_AUHT: "jwt", STREAMKIT_STORAGE__accountName: "a", OTHER: "b" };
  expect(unknownSettings(env)).toEqual(["STREAMKIT_AUHT"]);
});
