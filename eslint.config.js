// One linter for the whole project; the import directions between the folders of src/ are rules here.
import { dirname, relative, resolve } from "node:path";
import tseslint from "typescript-eslint";

/** The rooms of the Azure backend: each may import those before it. What is directly in the folder wires them. */
const azureRooms = [
  "rows",
  "instance",
  "log",
  "read",
  "apply",
  "trim",
  "compact",
  "delete",
  "append",
  "space",
  "monitor",
  "fsck",
].map((room) => `src/store/azure/${room}`);
const belowAzure = ["src/core", "src/codec", "src/table", "src/store", "src/jobs"];
/** What a room may import besides: a commit asks the lease for the token that it is fenced by. */
const besides = { "src/store/azure/append": ["src/lease"] };

/**
 * What each part of the app may import besides itself; `src` is the files directly in it. Nothing else: see
 * CONTRIBUTING.md.
 */
const mayImport = {
  "src/core": [],
  "src/codec": ["src/core"],
  "src/table": ["src/core"],
  "src/store": ["src/core", "src/codec", "src/jobs"],
  ...Object.fromEntries(
    azureRooms.map((room, floor) => [room, [...belowAzure, ...(besides[room] ?? []), ...azureRooms.slice(0, floor)]]),
  ),
  "src/store/azure": [...belowAzure, "src/lease", ...azureRooms],
  "src/notify": ["src/core", "src/codec", "src/table", "src/store"],
  "src/lease": ["src/core", "src/codec", "src/table"],
  "src/consumers": ["src/core", "src/codec", "src/table", "src/store"],
  "src/jobs": ["src/core", "src/codec", "src/table"],
  "src/retention": ["src/core", "src/codec", "src/table", "src/store", "src/jobs"],
  "src/wire": ["src/core", "src/codec"],
  "src/server": [
    "src/core",
    "src/codec",
    "src/wire",
    "src/store",
    "src/notify",
    "src/lease",
    "src/consumers",
    "src/jobs",
    "src/retention",
  ],
  "src/telemetry": ["src/core"],
  src: [
    ...["src/core", "src/codec", "src/table", "src/store", "src/store/azure", "src/notify", "src/lease"],
    ...["src/consumers", "src/jobs", "src/retention"],
    ...[...azureRooms, "src/wire", "src/server", "src/telemetry"],
  ],
  functions: ["src", "src/server", "src/wire"],
  // Not deployed: the local host knows nothing of the app, and a double stands in for what the app imports, no more.
  "scripts/local": [],
  "test/doubles": [...belowAzure, "src/notify"],
  "test/doubles/level": ["src/core", "src/codec", "src/store"],
};

/**
 * Resolves each import and judges where it leads: a pattern of what is written there would not see every way to write
 * it.
 */
const importDirections = {
  meta: { type: "problem", schema: [{ type: "object" }] },
  create(context) {
    const [allowed] = context.options;
    // The longest name that fits: a part may lie within another.
    const partOf = (path) =>
      Object.keys(allowed)
        .filter((part) => path.startsWith(`${part}/`))
        .sort((one, other) => other.length - one.length)[0];
    const nameOf = (path) => relative(import.meta.dirname, path).replaceAll("\\", "/");
    const importer = partOf(nameOf(context.filename));
    if (importer === undefined) return {};
    const judge = (node, source) => {
      if (source?.type !== "Literal") return context.report({ node, message: "What is imported is written out." });
      if (!String(source.value).startsWith(".")) return undefined;
      const path = nameOf(resolve(dirname(context.filename), source.value));
      // The version of the app is told in one place.
      if (path === "package.json") return undefined;
      const imported = partOf(path);
      if (imported === importer || allowed[importer].includes(imported)) return undefined;
      return context.report({ node, message: `${importer} does not import ${imported ?? path}.` });
    };
    return {
      ImportDeclaration: (node) => judge(node, node.source),
      ExportAllDeclaration: (node) => judge(node, node.source),
      ExportNamedDeclaration: (node) => (node.source === null ? undefined : judge(node, node.source)),
      ImportExpression: (node) => judge(node, node.source),
      TSImportType: (node) => judge(node, node.source),
    };
  },
};

/** As wide as Prettier makes the code. A line without a space, such as an address, cannot be cut. */
const commentWidth = {
  meta: { type: "layout", schema: [] },
  create: (context) => ({
    Program() {
      const { lines } = context.sourceCode;
      for (const { loc } of context.sourceCode.getAllComments()) {
        for (let line = loc.start.line; line <= loc.end.line; line++) {
          const text = lines[line - 1];
          const words = text.trim().split(" ");
          if (text.length > 120 && words.length > 2 && /^\s*(\/\/|\/?\*)/.test(text))
            context.report({ loc: { line, column: 120 }, message: "A line of a comment has up to 120 characters." });
        }
      }
    },
  }),
};

export default tseslint.config(
  { ignores: ["dist/**", "packages/*/dist/**", "node_modules/**", ".azurite/**", ".cache/**", "coverage/**"] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ["**/*.ts"] })),
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { streamkit: { rules: { "comment-width": commentWidth, "import-directions": importDirections } } },
    rules: {
      "streamkit/comment-width": "error",
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
    files: [
      "src/{core,codec,table,store,notify,lease,consumers,jobs,retention,wire,server,telemetry}/**/*.ts",
      "test/doubles/**/*.ts",
    ],
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
    files: ["test/**/*.ts", "packages/*/test/**/*.ts", "bench/**/*.ts", "scripts/**/*.ts"],
    rules: { "no-console": "off", "@typescript-eslint/no-non-null-assertion": "off" },
  },
  {
    files: ["src/**/*.ts", "functions/**/*.ts", "scripts/local/**/*.ts", "test/doubles/**/*.ts"],
    rules: { "streamkit/import-directions": ["error", mayImport] },
  },
);
