import { expect, test, vi } from "vitest";
import { Child } from "../../../scripts/local/child.ts";

const run = (script: string): Child => new Child({ command: process.execPath, args: ["-e", script], output: "kept" });

const pidsSaid = (child: Child): number[] => [...child.output.matchAll(/pid (\d+)\n/g)].map(([, pid]) => Number(pid));

test("says how it ended, and what it wrote last", async () => {
  const child = run('console.log("out"); console.error("err"); process.exit(3)');
  expect(await child.exited).toBe(3);
  expect(child.output).toContain("out\n");
  expect(child.output).toContain("err\n");
  expect(child.running).toBe(false);
  await child.stop();
});

test("a command that is not there has ended", async () => {
  const child = new Child({ command: "/nowhere/at-all", args: [], output: "kept" });
  expect(await child.exited).toContain("ENOENT");
  await child.stop();
});

test("one that does not listen is made to end, with what it started", async () => {
  const stubborn = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("pid " + process.pid);';
  const child = run(
    `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(stubborn)}], { stdio: "inherit" }); ${stubborn}`,
  );
  await vi.waitFor(() => expect(pidsSaid(child)).toHaveLength(2), 10_000);
  await child.stop("SIGTERM", 100);
  // Both write into one pipe: that it was closed says that both are gone.
  expect(await child.exited).toBe("SIGKILL");
});
