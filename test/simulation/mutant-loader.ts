// Makes a deliberate mistake in the sources of this process: changes their text while they are loaded.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

import type { Mutation, Patch } from "./mutations/mutation.ts";

const root = new URL("../../", import.meta.url);

/** From now on the modules that are loaded have the mistake. Throws when it does not fit the sources as they are. */
export function applyMutation({ name, patches }: Mutation): void {
  const changed = new Map<string, string>();
  for (const patch of patches) {
    const url = new URL(patch.file, root);
    changed.set(url.href, patched(changed.get(url.href) ?? readFileSync(url, "utf8"), patch, name));
  }
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const source = changed.get(url);
      return source === undefined ? loaded : { ...loaded, source };
    },
  });
}

function patched(source: string, { file, find, replace }: Patch, name: string): string {
  const [before, after, ...more] = source.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`Mutation ${name} does not fit ${file}: its text is there ${source.split(find).length - 1} times.`);
  }
  return before + replace + after;
}
