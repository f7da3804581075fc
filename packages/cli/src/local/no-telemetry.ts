// In the place of Azure Monitor: a local server sends nothing anywhere.

import { silentTelemetry } from "../../../../src/core/telemetry.ts";

export const listenByAzureMonitor = (): { readonly telemetry: typeof silentTelemetry } => ({
  telemetry: silentTelemetry,
});
