// What only runs elsewhere (in GitHub, in azd, in a container) is checked here against what it refers to.

import { existsSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { everyDeployment, only, production, projectFile, projectRoot } from "./deployed.ts";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly uses?: string;
  readonly needs?: string | readonly string[];
  readonly steps?: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly concurrency: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const yaml = (path: string): unknown =>
  parse(projectFile(path), { prettyErrors: true, strict: true, uniqueKeys: true });
const workflowPaths = globSync(".github/workflows/*.yml", { cwd: projectRoot }).sort();
const workflow = (path: string): Workflow => yaml(path) as Workflow;
const jobs = (path: string): readonly (readonly [string, Job])[] => Object.entries(workflow(path).jobs);
const steps = (path: string): readonly Step[] => jobs(path).flatMap(([, job]) => job.steps ?? []);
const manifest = JSON.parse(projectFile("package.json")) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

/** What azd runs, on the systems that it runs on. */
type Hooks = Readonly<Record<string, Readonly<Record<string, { readonly shell: string; readonly run: string }>>>>;

interface Service {
  readonly project: string;
  readonly remoteBuild?: boolean;
  readonly hooks: Hooks;
}

const azd = yaml("azure.yaml") as {
  readonly requiredVersions: { readonly azd: string };
  readonly infra: { readonly path: string; readonly module: string };
  readonly services: Readonly<Record<string, Service>>;
  readonly hooks: Hooks;
  readonly workflows: { readonly up: { readonly steps: readonly { readonly azd: string }[] } };
};

test("changes are tested, proved every night, and deployed by a workflow of its own", () => {
  expect(workflowPaths).toEqual(["ci", "deploy", "prove"].map((name) => `.github/workflows/${name}.yml`));
});

describe.each(workflowPaths)("%s", (path) => {
  test("may read the code and nothing more, but for the token that signs in to Azure", () => {
    expect(workflow(path).permissions).toEqual({ contents: "read" });
    const more = jobs(path).flatMap(([, job]) => Object.entries(job.permissions ?? {}));
    expect(more.filter(([what, how]) => !(what === "contents" && how === "read") && what !== "id-token")).toEqual([]);
  });

  test("has no secret, and a time-out for each job", () => {
    expect(projectFile(path)).not.toContain("secrets.");
    expect(jobs(path).filter(([, job]) => job.uses === undefined && job["timeout-minutes"] === undefined)).toEqual([]);
  });

  test("uses actions at a version, those of jobs that hold a token at a commit, and files that are there", () => {
    for (const [name, job] of jobs(path)) {
      const holdsToken = (job.permissions ?? {})["id-token"] === "write";
      for (const { uses } of [job, ...(job.steps ?? [])]) {
        if (uses === undefined) continue;
        if (uses.startsWith("./")) expect(existsSync(join(projectRoot, uses)), uses).toBe(true);
        else if (!holdsToken) expect(uses, name).toMatch(/^[\w-]+\/[\w-]+@v\d+$/);
        else {
          expect(uses, name).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
          // By its version in the comment Dependabot knows what to move.
          expect(projectFile(path)).toMatch(new RegExp(`${uses} # v\\d+\\.\\d+\\.\\d+$`, "m"));
        }
      }
    }
    const files = [...projectFile(path).matchAll(/\b(infra|scripts)\/[\w./*-]+/g)].map(([name]) => name);
    expect(files.filter((name) => globSync(name, { cwd: projectRoot }).length === 0)).toEqual([]);
  });

  test("calls scripts that the project has", () => {
    const called = steps(path).flatMap(({ run }) => [...(run ?? "").matchAll(/npm (?:run )?([\w:-]+)/g)]);
    const builtIn = ["ci", "test"];
    const missing = called.map(([, name = ""]) => name).filter((name) => !(name in manifest.scripts));
    expect(missing.filter((name) => !builtIn.includes(name))).toEqual([]);
  });

  test("waits for jobs that it has", () => {
    const needed = jobs(path).flatMap(([, job]) => job.needs ?? []);
    expect(needed.filter((name) => !(name in workflow(path).jobs))).toEqual([]);
  });
});

test("a change is checked by types, rules, format, the templates' compiler, build and tests, each as a person does it", () => {
  const run = steps(".github/workflows/ci.yml").map((step) => step.run ?? "");
  for (const command of ["npm ci", "npm run check", "npm test"]) expect(run).toContain(command);
  const parts = ["types", "lint", "format:check", "infra", "build"].map((name) => `npm run ${name}`);
  expect(manifest.scripts["check"]).toBe(parts.join(" && "));
});

test("API versions that grow old by themselves are reported every night, and fail nothing", () => {
  const run = steps(".github/workflows/prove.yml").map((step) => step.run ?? "");
  expect(run.some((command) => command.startsWith("npm run infra -- --report"))).toBe(true);
  expect(projectFile("infra/bicepconfig.json")).toMatch(/"use-recent-api-versions": \{\s+"level": "off"/);
});

test("a deployment shows what would change before it changes it, tests the code, and asks the app for its health", () => {
  const { deploy } = workflow(".github/workflows/deploy.yml").jobs;
  expect(deploy?.needs).toEqual(["package", "what-if"]);
  const run = steps(".github/workflows/deploy.yml").map((step) => step.run ?? "");
  expect(run.join("\n")).toMatch(/az deployment sub what-if/);
  expect(run.join("\n")).toMatch(/az deployment sub create/);
  expect(run.at(-1)).toContain("/health?deep=true");
});

const retried = "node scripts/deploy/again.mjs -- ";

test("the workflow and azd deploy what the package script makes", () => {
  const made = /out = join\(root, "([^"]+)"\)/.exec(projectFile("scripts/package.ts"))?.[1] ?? "none";
  expect(made).toBe("dist/streamkit.zip");
  const deploy = steps(".github/workflows/deploy.yml");
  const uploaded = deploy.find(({ uses }) => uses?.startsWith("actions/upload-artifact"));
  expect(uploaded?.with?.["path"]).toBe(made);
  const deployed = deploy.find(({ run }) => run?.includes("az functionapp deployment"));
  expect(deployed?.run).toContain(`--src ${basename(made)}`);
  for (const { run } of Object.values(azd.hooks["preup"] ?? {})) expect(run).toMatch(/^npm ci\b.*\bnpm run package\b/);
  expect(azd.workflows.up.steps.map((step) => step.azd)).toEqual(["provision"]);
  const services = Object.keys(azd.services).join();
  for (const { run } of Object.values(azd.hooks["postup"] ?? {})) {
    expect(run).toContain(`azd deploy ${services} --from-package ${made} --environment "`);
  }
  expect(only(production, "Microsoft.Web/sites")["tags"]).toMatchObject({ "azd-service-name": services });
});

test("a first deployment that is refused until the app's roles hold is tried again, by azd and by the workflow", () => {
  const workflow = steps(".github/workflows/deploy.yml").find(({ run }) => run?.includes("az functionapp deployment"));
  const hooks = Object.values(azd.hooks["postup"] ?? {}).map(({ run }) => run);
  expect([workflow?.run ?? "", ...hooks].filter((run) => !run.startsWith(retried))).toEqual([]);
  expect(hooks.length).toBe(2);
});

test("a region is asked for the plan before anything is made in it, by azd and by the workflow", () => {
  const asks = "node scripts/deploy/region.mjs";
  for (const { run } of Object.values(azd.hooks["preprovision"] ?? {})) expect(run.startsWith(asks)).toBe(true);
  const run = workflow(".github/workflows/deploy.yml").jobs["what-if"]?.steps?.map((step) => step.run ?? "") ?? [];
  expect(run.indexOf(asks)).toBeGreaterThanOrEqual(0);
  expect(run.indexOf(asks)).toBeLessThan(run.findIndex((command) => command.includes("what-if")));
});

test("the runbook has those resource providers registered that a deployment needs, which may not register them itself", () => {
  const registered = /^for provider in (.*); do$/m.exec(projectFile("docs/operations.md"))?.[1]?.split(" ") ?? [];
  const needed = everyDeployment.flatMap(({ resources }) => resources.map(({ type }) => type.split("/")[0] ?? ""));
  // The app joins a network by a delegation to this one; the first two are always there.
  const always = ["Microsoft.Resources", "Microsoft.Authorization"];
  const wanted = new Set([...needed.filter((name) => !always.includes(name)), "Microsoft.App"]);
  expect(registered.map((name) => `Microsoft.${name}`).sort()).toEqual([...wanted].sort());
});

test("azd never packs the folder: where it would, it is stopped, and says what deploys the package", () => {
  const [[name, service]] = Object.entries(azd.services) as [[string, Service]];
  for (const { run } of Object.values(service.hooks["prepackage"] ?? {})) {
    expect(run).toContain(`azd deploy ${name} --from-package dist/streamkit.zip`);
    expect(run.trim()).toMatch(/^exit 1$/m);
  }
});

test("no commit has azd's state of an environment, and no package has local settings", () => {
  expect(projectFile(".gitignore").split("\n")).toContain(".azure/");
  const left = projectFile(".funcignore").split("\n");
  for (const name of ["local.settings.json", ".azure", ".azurite", ".git*", "test", "src"])
    expect(left).toContain(name);
  // What the host reads, and the bundle.
  for (const name of ["host.json", "package.json", "dist"]) expect(left).not.toContain(name);
});

test("azd can run its hooks on Windows as well as elsewhere", () => {
  const hooks = [azd.hooks, ...Object.values(azd.services).map((service) => service.hooks)].flatMap(
    Object.values<Hooks[string]>,
  );
  expect(hooks.length).toBe(4);
  for (const hook of hooks) {
    expect(Object.entries(hook).map(([system, { shell }]) => [system, shell])).toEqual([
      ["posix", "sh"],
      ["windows", "pwsh"],
    ]);
    expect(hook["windows"]?.run).not.toContain("&&");
  }
});

test("an azd that would not know a setting is refused, with the version that the runbook names", () => {
  expect(Object.values(azd.services).map(({ remoteBuild }) => remoteBuild)).toEqual([false]);
  const version = /^>= (\d+\.\d+\.\d+)$/.exec(azd.requiredVersions.azd)?.[1] ?? "none";
  expect(projectFile("docs/operations.md")).toContain(`${version} or newer`);
});

test("azd finds the templates and their parameters", () => {
  for (const extension of ["bicep", "bicepparam"]) {
    expect(existsSync(join(projectRoot, azd.infra.path, `${azd.infra.module}.${extension}`))).toBe(true);
  }
});

test("outputs that the workflow reads are outputs of the template", () => {
  const read = [...projectFile(".github/workflows/deploy.yml").matchAll(/jq -r \.(\w+)\.value/g)].map(
    ([, name]) => name,
  );
  expect(read.length).toBeGreaterThan(0);
  expect(read.filter((name) => !((name ?? "") in production.outputs))).toEqual([]);
});

test("forms and rules of the repository are YAML, and dependencies are looked after", () => {
  for (const path of globSync(".github/**/*.yml", { cwd: projectRoot })) expect(() => yaml(path), path).not.toThrow();
  const { updates } = yaml(".github/dependabot.yml") as { updates: readonly { "package-ecosystem": string }[] };
  expect(updates.map((update) => update["package-ecosystem"])).toEqual(["npm", "github-actions", "devcontainers"]);
});

test("the development container has the Node that the project is developed with, func, and Azurite from the project", () => {
  const container = projectFile(".devcontainer/devcontainer.json");
  const major = /\d+/.exec(manifest.devDependencies["node"] ?? "")?.[0] ?? "none";
  expect(container).toContain(`typescript-node:${major}"`);
  expect(container).toContain("azure-functions-core-tools@4");
  expect(container).toContain("node_modules/.bin");
  expect(manifest.devDependencies).toHaveProperty("azurite");
});
