// Reads Bicep by its grammar: what a template declares, names and passes on. Not a compiler: types are left to the real one.

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Language, Parser } from "web-tree-sitter";
import type { Node as ParserNode } from "web-tree-sitter";

export const projectRoot = join(import.meta.dirname, "../../..");

/** A piece of a template: the parser's tree, copied once, because each look into WebAssembly is dear. */
export interface Node {
  readonly type: string;
  readonly text: string;
  readonly line: number;
  readonly isWrong: boolean;
  readonly isNamed: boolean;
  /** What it is to its parent, where the grammar says. */
  readonly field: string | null;
  readonly parent: Node | undefined;
  readonly children: readonly Node[];
}

export interface Declaration {
  readonly name: string;
  /** Undefined where there is none: a required parameter. */
  readonly value: Node | undefined;
  readonly description: string | undefined;
}

export interface Block {
  readonly symbol: string;
  /** The type with its version, or the path of the module. */
  readonly what: string;
  readonly existing: boolean;
  /** The object, without a condition or a loop around it. */
  readonly body: Node;
}

export interface Template {
  readonly path: string;
  readonly text: string;
  readonly root: Node;
  readonly parameters: readonly Declaration[];
  readonly variables: readonly Declaration[];
  readonly outputs: readonly Declaration[];
  readonly resources: readonly Block[];
  readonly modules: readonly Block[];
}

const files = { grammar: "tree-sitter-bicep/tree-sitter-bicep.wasm", parser: "web-tree-sitter/web-tree-sitter.wasm" };
const inModules = (name: string): string => join(projectRoot, "node_modules", name);

let parser: Promise<Parser> | undefined;
const ready = (): Promise<Parser> => (parser ??= makeParser());

async function makeParser(): Promise<Parser> {
  await Parser.init({ locateFile: () => inModules(files.parser) });
  const made = new Parser();
  made.setLanguage(await Language.load(inModules(files.grammar)));
  return made;
}

/** `path`: in the project. */
export async function readTemplate(path: string): Promise<Template> {
  return parseTemplate(readFileSync(join(projectRoot, path), "utf8"), path);
}

export async function parseTemplate(text: string, path = "given"): Promise<Template> {
  // The grammar knows templates only; an assignment in a parameter file reads like a variable.
  const source = path.endsWith(".bicepparam") ? text.replaceAll(/^param (\w+) =/gm, "var $1 =") : text;
  const tree = (await ready()).parse(source);
  if (tree === null) throw new Error(`${path} cannot be parsed.`);
  const root = copyOf(tree.rootNode, source, null, undefined);
  tree.delete();
  const declarations = (type: string): Declaration[] => childrenOf(root, type).map((node) => declarationOf(node));
  const blocks = (type: string): Block[] => childrenOf(root, type).map(blockOf);
  return {
    path,
    text,
    root,
    parameters: declarations("parameter_declaration"),
    variables: declarations("variable_declaration"),
    outputs: declarations("output_declaration"),
    resources: blocks("resource_declaration"),
    modules: blocks("module_declaration"),
  };
}

/** Where the text is not Bicep: line and words. */
export function syntaxErrors(template: Template): readonly string[] {
  return descendants(template.root)
    .filter((node) => node.isWrong)
    .map((node) => `${template.path}:${node.line}: ${node.text.slice(0, 60)}`);
}

/** Names that an expression anywhere in the template uses, without keys, types, properties and functions. */
export function namesUsed(template: Template): ReadonlySet<string> {
  const names = descendants(template.root).filter((node) => node.type === "identifier" && isReference(node));
  return new Set(names.map((node) => node.text));
}

/** Names that a template declares, loop variables and parameters of lambdas included. */
export function namesDeclared(template: Template): ReadonlySet<string> {
  const { parameters, variables, resources, modules, root } = template;
  const local = descendants(root).filter((node) => isLocalName(node));
  return new Set([
    ...[...parameters, ...variables].map(({ name }) => name),
    ...[...resources, ...modules].map(({ symbol }) => symbol),
    ...local.map((node) => node.text),
  ]);
}

/** What is read of `<symbol>.outputs`. */
export function outputsRead(template: Template, symbol: string): ReadonlySet<string> {
  const found = template.text.matchAll(new RegExp(`\\b${symbol}[.!?]+outputs[.!?]+(\\w+)`, "g"));
  return new Set([...found].map((match) => match[1] ?? ""));
}

/** The properties of an object, by name. */
export function properties(object: Node | undefined): ReadonlyMap<string, Node> {
  const found = new Map<string, Node>();
  for (const property of object === undefined ? [] : childrenOf(object, "object_property")) {
    const [key, value] = named(property);
    if (key !== undefined && value !== undefined) found.set(stringOf(key) ?? key.text, value);
  }
  return found;
}

export function items(array: Node | undefined): readonly Node[] {
  return (array === undefined ? [] : named(array)).filter((node) => node.type !== "comment");
}

/** The value when it is written out: a string without interpolation, a number, true, false, null; arrays and objects of them. */
export function literal(node: Node | undefined): unknown {
  switch (node?.type) {
    case "string":
      return stringOf(node);
    case "number":
    case "boolean":
    case "null":
      return JSON.parse(node.text) as unknown;
    case "array":
      return items(node).map(literal);
    case "object":
      return Object.fromEntries([...properties(node)].map(([key, value]) => [key, literal(value)]));
    default:
      return undefined;
  }
}

/** The file of a module call, as a path in the project. */
export function moduleFile(template: Template, block: Block): string {
  return join(template.path, "..", block.what);
}

export function fileName(path: string): string {
  return basename(path);
}

export function descendants(node: Node): readonly Node[] {
  return [node, ...node.children.flatMap((child) => descendants(child))];
}

export function projectFile(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), "utf8");
}

function copyOf(from: ParserNode, source: string, field: string | null, parent: Node | undefined): Node {
  const children: Node[] = [];
  const node: Node = {
    type: from.type,
    text: source.slice(from.startIndex, from.endIndex),
    line: from.startPosition.row + 1,
    isWrong: from.isError || from.isMissing,
    isNamed: from.isNamed,
    field,
    parent,
    children,
  };
  from.children.forEach((child, at) => children.push(copyOf(child, source, from.fieldNameForChild(at), node)));
  return node;
}

function named(node: Node): readonly Node[] {
  return node.children.filter((child) => child.isNamed);
}

function field(node: Node, name: string): Node | undefined {
  return node.children.find((child) => child.field === name);
}

function childrenOf(node: Node, type: string): readonly Node[] {
  return named(node).filter((child) => child.type === type);
}

function declarationOf(node: Node): Declaration {
  const [name, ...rest] = named(node);
  if (name === undefined) throw new Error(`A declaration without a name: ${node.text}`);
  const value = rest.find((child) => child.type !== "type" && child.type !== "comment");
  return { name: name.text, value, description: descriptionOf(node) };
}

/** Decorators stand before what they decorate. */
function descriptionOf(node: Node): string | undefined {
  const siblings = node.parent === undefined ? [] : named(node.parent);
  const before = siblings[siblings.indexOf(node) - 1];
  if (before?.type !== "decorators") return undefined;
  for (const call of descendants(before).filter((child) => child.type === "call_expression")) {
    if (field(call, "function")?.text !== "description") continue;
    return stringOf(named(field(call, "arguments") ?? call)[0] ?? call);
  }
  return undefined;
}

function blockOf(node: Node): Block {
  const [symbol, what] = named(node);
  const body = named(node).at(-1);
  if (symbol === undefined || what === undefined || body === undefined) throw new Error(`Not a block: ${node.text}`);
  return {
    symbol: symbol.text,
    what: stringOf(what) ?? "",
    existing: node.children.some((child) => child.type === "existing"),
    body: objectIn(body),
  };
}

/** Goes through `if (...)` and `for ... in ...:` to the object they hold. */
function objectIn(node: Node): Node {
  if (node.type === "object") return node;
  const inner = named(node).at(-1);
  if (inner === undefined) throw new Error(`No object in: ${node.text}`);
  return objectIn(inner);
}

function stringOf(node: Node): string | undefined {
  if (node.type !== "string" || named(node).some((child) => child.type === "interpolation")) return undefined;
  return named(node)
    .map((part) => (part.type === "escape_sequence" ? part.text.slice(1) : part.text))
    .join("");
}

function isLocalName(node: Node): boolean {
  const { parent } = node;
  if (node.type === "loop_variable" || node.type === "loop_enumerator") return true;
  if (node.type !== "identifier" || parent === undefined) return false;
  const isFirst = named(parent)[0] === node;
  return isFirst && (parent.type === "lambda_expression" || parent.type === "for_statement");
}

function isReference(node: Node): boolean {
  const { parent } = node;
  if (parent === undefined || isLocalName(node)) return false;
  const isFirst = named(parent)[0] === node;
  switch (parent.type) {
    case "parameter_declaration":
    case "variable_declaration":
    case "output_declaration":
    case "resource_declaration":
    case "module_declaration":
    case "object_property":
      return !isFirst;
    case "call_expression":
      return field(parent, "function") !== node;
    case "type":
    case "target_scope_assignment":
      return false;
    default:
      return true;
  }
}
