// What the functions saw, for the tests to ask. Registers nothing: a file that `main` matches may do that too.

export const seen = {
  settings: { fromFile: process.env["FROM_FILE"], fromBoth: process.env["FROM_BOTH"] },
  hooks: 0,
  flood: { produced: 0, closed: false },
  upload: { begun: 0, bytes: 0 },
  echoed: 0,
  byHand: 0,
  atStart: [] as unknown[],
  slow: { running: 0, atOnce: 0, runs: [] as { isPastDue: boolean }[] },
  messages: [] as { text: unknown; tries: number; metadata: Record<string, unknown> | undefined }[],
};

export type Seen = typeof seen;
