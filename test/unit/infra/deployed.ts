// What a deployment makes, read from its snapshot: the template as the Bicep compiler evaluates it. `npm run check`
// holds that the snapshots are those of the templates.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export const projectRoot = join(import.meta.dirname, "../../..");

export function projectFile(path: string): string {
  return readFileSync(join(projectRoot, path), "utf8");
}

export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly apiVersion: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly [more: string]: unknown;
}

export interface Deployed {
  readonly name: string;
  readonly text: string;
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, string>>;
}

/** `name`: of a parameter file in infra/ or test/infra/variants. */
export function deployed(name: string): Deployed {
  const text = projectFile(`test/infra/snapshots/${name}.json`);
  const { predictedResources: resources, outputs } = JSON.parse(text) as {
    readonly predictedResources: readonly Resource[];
    readonly outputs: Readonly<Record<string, string>>;
  };
  return { name, text, resources, outputs };
}

export const production = deployed("main");
export const development = deployed("main.dev");
export const everyDeployment: readonly Deployed[] = [
  production,
  development,
  ...["private-network", "private-network-without-gateway", "tokens", "zone-redundant", "longest-names"].map(deployed),
];

export function ofType(from: Deployed, type: string): readonly Resource[] {
  return from.resources.filter((resource) => resource.type === type);
}

/** The only one of its type. */
export function only(from: Deployed, type: string): Resource {
  const [found, ...more] = ofType(from, type);
  if (found === undefined || more.length > 0)
    throw new Error(`${from.name} has not one ${type} but ${more.length + 1}.`);
  return found;
}

/** The app's settings. Values that only Azure knows are expressions, in brackets. */
export function appSettings(from: Deployed): Readonly<Record<string, string>> {
  return only(from, "Microsoft.Web/sites/config").properties as Readonly<Record<string, string>>;
}
