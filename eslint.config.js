// One linter for the whole project; the import directions between the folders of src/ are rules here.
import tseslint from "typescript-eslint";

/** What each folder of src/ may import besides itself. Nothing else: see CONTRIBUTING.md. */
const mayImport = {
  core: [],
  codec: ["core"],
  table: ["core"],
  "store/azure": ["core", "codec", "table", "store"],
  "store/level": ["core", "codec", "store"],
  store: ["core", "codec"],
  notify: ["core", "store", "table", "codec"],
  lease: ["core", "table", "codec"],
  wire: ["core", "codec"],
  server: ["core", "codec", "wire", "store", "notify", "lease"],
  client: ["core", "wire"],
  telemetry: ["core"],
  local: [],
};

const folders = Object.keys(mayImport);

const directions = folders.map((folder) => {
  const allowed = new Set([folder, ...mayImport[folder]]);
  const forbidden = folders.filter((other) => !allowed.has(other));
  const nested = folder.includes("/") ? [] : folders.filter((other) => other.startsWith(`${folder}/`));
  return {
    files: [`src/${folder}/**/*.ts`],
    ignores: nested.map((other) => `src/${other}/**`),
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            ...forbidden.map((other) => ({
              // A parent folder that is allowed must not open its nested folders, nor the other way round.
              regex: `^(\\.\\./)+${other}/${other.includes("/") ? "" : "[^/]+$"}`,
              message: `src/${folder} does not import src/${other}.`,
            })),
            { regex: "(^|/)runtime\\.ts$", message: "Only functions/ import the composition root." },
            ...(folder === "local" ? [] : [{ regex: "(^|/)local/", message: "Nothing imports the local host." }]),
          ],
        },
      ],
    },
  };
});

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", ".azurite/**", ".cache/**", "coverage/**"] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ["**/*.ts"] })),
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/only-throw-error": "error",
      "max-lines": ["error", { max: 400 }],
      "no-console": "error",
    },
  },
  {
    files: ["src/{core,codec,table,store,notify,lease,wire,server,client,telemetry}/**/*.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "process", property: "env", message: "Settings come in as options; only runtime.ts reads them." },
        { object: "Date", property: "now", message: "Time comes in as a Clock." },
        { object: "Math", property: "random", message: "Chance comes in as a Random." },
      ],
      "no-restricted-globals": ["error", "setTimeout", "setInterval"],
    },
  },
  {
    files: ["test/**/*.ts", "bench/**/*.ts", "scripts/**/*.ts", "src/local/**/*.ts"],
    rules: { "no-console": "off", "@typescript-eslint/no-non-null-assertion": "off" },
  },
  ...directions,
);
