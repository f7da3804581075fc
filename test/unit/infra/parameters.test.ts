// The workflow gives a deployment what its parameter file reads, all of it and nothing else; the action that does so
// runs here.

import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { projectFile, projectRoot } from "./deployed.ts";

interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Job {
  readonly if?: string;
  readonly environment?: string;
  readonly env?: unknown;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
}

const action = "./.github/actions/parameters";
const files = globSync("infra/*.bicepparam", { cwd: projectRoot }).sort();
const read = (file: string): readonly string[] => [
  ...new Set([...projectFile(file).matchAll(/readEnvironmentVariable\(\s*'(\w+)'/g)].map(([, name = ""]) => name)),
];

const workflow = parse(projectFile(".github/workflows/deploy.yml")) as {
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
};
const identified = Object.entries(workflow.jobs).filter(([, { environment }]) => environment !== undefined);

describe.each(identified)("the job %s", (_name, job) => {
  const steps = job.steps ?? [];
  const at = (part: string): number => steps.findIndex(({ uses, run }) => (uses ?? run ?? "").includes(part));

  test("takes the variables of its environment for the parameter file, before it deploys and in no other way", () => {
    expect(steps[at(action)]?.with).toMatchObject({
      file: "${{ env.PARAMETERS }}",
      variables: "${{ toJSON(vars) }}",
    });
    expect(at(action)).toBeLessThan(at('--parameters "$PARAMETERS"'));
    expect(job.env).toBeUndefined();
  });

  test("signs in on the main branch alone", () => {
    expect(job.if).toBe("github.ref == 'refs/heads/main'");
  });
});

test("showing the changes and making them have an environment each, and so an identity each", () => {
  expect(identified.map(([name, { environment }]) => [name, environment])).toEqual([
    ["what-if", "${{ inputs.environment }}-plan"],
    ["deploy", "${{ inputs.environment }}"],
  ]);
  const shows = workflow.jobs["what-if"]?.steps?.map(({ run }) => run ?? "").join("\n");
  expect(shows).toContain("--validation-level ProviderNoRbac");
});

test("the deployment has the values that were shown", () => {
  const step = workflow.jobs["what-if"]?.steps?.find(({ uses }) => uses === action);
  expect(workflow.jobs["what-if"]?.outputs).toEqual({ marks: `\${{ steps.${step?.id ?? ""}.outputs.marks }}` });
  const deploys = workflow.jobs["deploy"]?.steps?.find(({ uses }) => uses === action);
  expect(deploys?.with?.["shown"]).toBe("${{ needs.what-if.outputs.marks }}");
});

test("the workflow's own settings are the parameter files and the environment's name", () => {
  expect(Object.keys(workflow.env)).toEqual(["AZURE_ENV_NAME", "PARAMETERS"]);
  expect([...(workflow.env["PARAMETERS"] ?? "").matchAll(/'(infra\/[^']+)'/g)].map(([, name]) => name)).toEqual(files);
});

test("operators and addressees are named in the same way everywhere", () => {
  const people = /^param (alertEmails|operatorPrincipal\w+) = [^]*?^\)$/gm;
  const said = files.map((file) => projectFile(file).match(people) ?? []);
  expect(said[0]?.length).toBe(3);
  for (const other of said) expect(other).toEqual(said[0]);
  expect(said[0]?.[0]).toContain("email => trim(email)");
});

const folder = mkdtempSync(join(tmpdir(), "streamkit-parameters-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the action: what it set, what it gave out, and whether it failed. */
function run(file: string, variables: Readonly<Record<string, string>>, shown = "anything") {
  const [set, out] = [join(folder, "env"), join(folder, "output")];
  for (const path of [set, out]) writeFileSync(path, "");
  const env = { FILE: file, VARIABLES: JSON.stringify(variables), SHOWN: shown, GITHUB_ENV: set, GITHUB_OUTPUT: out };
  const options = { cwd: projectRoot, env, encoding: "utf8", stdio: "pipe" } as const;
  let failed = false;
  let said: string;
  try {
    said = execFileSync(process.execPath, [join(action, "parameters.mjs")], options);
  } catch (error) {
    failed = true;
    said = (error as { readonly stdout: string }).stdout;
  }
  const values = [...readFileSync(set, "utf8").matchAll(/^(\w+)<<(.+)\n([^]*?)\n\2\n/gm)].map(([, name, , value]) => [
    name,
    value,
  ]);
  const marks = /^marks=(.*)$/m.exec(readFileSync(out, "utf8"))?.[1];
  return { values: Object.fromEntries(values) as Record<string, string>, marks, said, failed };
}

const everything = Object.fromEntries(files.flatMap(read).map((name) => [name, `value of ${name}`]));

describe.each(files)("for %s the action", (file) => {
  test("sets every variable that it reads, and nothing that it does not read", () => {
    const { values, failed } = run(file, { ...everything, AZURE_CLIENT_ID: "id", STREAMKIT_OTHER: "other" });
    expect(failed).toBe(false);
    expect(values).toEqual(Object.fromEntries(read(file).map((name) => [name, everything[name]])));
    expect(projectFile(file).match(/readEnvironmentVariable\((?!\s*'\w+')/g)).toBeNull();
  });

  test("leaves what is not set, or empty, to the defaults of the file", () => {
    expect(run(file, { STREAMKIT_ALERT_EMAILS: "", AZURE_LOCATION: "northeurope" }).values).toEqual({
      AZURE_LOCATION: "northeurope",
    });
  });
});

describe("the action", () => {
  const file = "infra/main.bicepparam";

  test("passes a value of several lines on as it is", () => {
    const value = "a@example.org,\nSTREAMKIT_AUTH=none\nb@example.org";
    expect(run(file, { STREAMKIT_ALERT_EMAILS: value }).values).toEqual({ STREAMKIT_ALERT_EMAILS: value });
  });

  test("warns of a variable that no parameter file reads", () => {
    const { said } = run(file, { ...everything, STREAMKIT_ALERT_EMAIL: "a@example.org" });
    expect(said.match(/::warning::.*/g)).toEqual([
      "::warning::No parameter file reads STREAMKIT_ALERT_EMAIL: is it misspelt?",
    ]);
  });

  test("ends the job when a value is not the one that was shown, and tells which, not what", () => {
    const { marks } = run(file, everything);
    expect(run(file, everything, marks).failed).toBe(false);
    for (const STREAMKIT_AUTH of ["none", ""]) {
      const { said, failed } = run(file, { ...everything, STREAMKIT_AUTH }, marks);
      expect({ failed, errors: said.match(/::error::.*/g) }).toEqual({
        failed: true,
        errors: ["::error::STREAMKIT_AUTH is not what it was when the changes were shown."],
      });
    }
    expect(marks).not.toContain("value of");
  });

  test("ends the job when it is not told what was shown", () => {
    expect(run(file, everything, "").failed).toBe(true);
  });
});
