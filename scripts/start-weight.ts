// What of a bundle is loaded at the start, and what only when it is needed.

import type { Metafile } from "esbuild";

export interface Weight {
  readonly bytes: number;
  /** Bytes by library; the project's own under `streamkit`. */
  readonly libraries: ReadonlyMap<string, number>;
}

export function weigh({ outputs }: Metafile): { readonly atStart: Weight; readonly later: Weight } {
  const loaded = new Set<string>();
  const follow = (name: string): void => {
    const output = outputs[name];
    if (output === undefined || loaded.has(name)) return;
    loaded.add(name);
    for (const { path, kind } of output.imports) if (kind === "import-statement") follow(path);
  };
  for (const [name, { entryPoint }] of Object.entries(outputs)) {
    // The function files await the second.
    if (/functions\/[^/]+\.js$/.test(name) || entryPoint === "src/runtime.ts") follow(name);
  }
  const weightOf = (wanted: boolean): Weight => {
    const libraries = new Map<string, number>();
    let bytes = 0;
    for (const [name, output] of Object.entries(outputs)) {
      if (!name.endsWith(".js") || loaded.has(name) !== wanted) continue;
      bytes += output.bytes;
      for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
        const library = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? "streamkit";
        libraries.set(library, (libraries.get(library) ?? 0) + bytesInOutput);
      }
    }
    return { bytes, libraries };
  };
  return { atStart: weightOf(true), later: weightOf(false) };
}
