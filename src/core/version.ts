// The version of this app: that of its package, everywhere it is told.

import manifest from "../../package.json" with { type: "json" };

export const { version } = manifest;
