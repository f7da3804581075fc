// Headless Chromium, with its guard of origins on.

import { launch } from "puppeteer-core";
import type { Browser } from "puppeteer-core";
import { inject } from "vitest";

export async function openBrowser(): Promise<Browser> {
  // The package unpacks its browser into the temporary folder: one of this run's own, so that runs do not meet.
  process.env["TMPDIR"] = inject("runFolder");
  const { default: chromium } = await import("@sparticuz/chromium");
  // It comes with its guard of origins off, as who renders pages wants it.
  const args = chromium.args.filter((argument) => argument !== "--disable-web-security");
  return launch({ args, executablePath: await chromium.executablePath(), headless: "shell" });
}
