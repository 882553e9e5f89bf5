/**
 * The checkout as a list of source files, and the little reading of TypeScript that the
 * repository's rules need: a file's code without comments and texts, its imports, its functions.
 *
 * Limits, known and accepted: this is a scanner, not a parser. A regular expression is told from
 * a division by what stands before the slash; a function is a block whose `{` follows `=>`, the
 * `)` of its parameters or a return type, and it is measured from that `{` to its `}`. A suite
 * (the callback of `describe`) is a list of tests and not measured; its tests are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout; this module runs from test/dist/repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface SourceFile {
  /** Path from the checkout's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments, strings and regular expressions blanked; same length, same lines. */
  readonly code: string;
}

const SKIPPED = new Set(['node_modules', 'dist', '.git']);

/** All files of the checkout whose name ends in one of `endings`, sorted by path. */
export function listFiles(endings: readonly string[]): string[] {
  const found: string[] = [];
  const walk = (folder: string) => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) walk(path);
      else if (entry.isFile() && endings.some((ending) => path.endsWith(ending))) found.push(path);
    }
  };
  walk('');
  return found.sort();
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, code: blankTexts(text) };
}

/** Every TypeScript file of the checkout. */
export function readSources(): SourceFile[] {
  return listFiles(['.ts']).map((path) => sourceFile(path, readText(path)));
}

const blank = (text: string) => text.replace(/[^\n]/g, ' ');
const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const STRING = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const TEMPLATE_PART = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;
/** What a regular expression may follow; after anything else a slash divides. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|yield|await))\s*$/;

/** Blanks comments, strings, templates (not what is between `${` and `}`) and regular expressions. */
export function blankTexts(text: string): string {
  let code = '';
  let at = 0;
  /** For each open template: how many braces are open inside its `${`. */
  const templates: number[] = [];
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return false;
    code += blank(match[0]);
    at = pattern.lastIndex;
    return true;
  };
  const templateText = () => {
    take(TEMPLATE_PART);
    if (text[at] === '`') templates.pop();
    code += text[at] === '`' ? ' ' : '  ';
    at += text[at] === '`' ? 1 : 2;
  };
  while (at < text.length) {
    const character = text[at] ?? '';
    if (take(COMMENT) || take(STRING)) continue;
    if (character === '/' && BEFORE_REGEX.test(code) && take(REGEX)) continue;
    at += 1;
    if (character === '`') {
      templates.push(0);
      code += ' ';
      templateText();
      continue;
    }
    const open = templates.at(-1);
    if (open !== undefined && character === '}' && open === 0) {
      code += ' ';
      templateText();
      continue;
    }
    if (open !== undefined && character === '{') templates[templates.length - 1] = open + 1;
    if (open !== undefined && character === '}') templates[templates.length - 1] = open - 1;
    code += character;
  }
  return code;
}

const IMPORT =
  /\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

/** The module specifiers that a file imports or re-exports, types included. */
export function importsOf(file: SourceFile): string[] {
  const found: string[] = [];
  for (const match of file.text.matchAll(IMPORT)) {
    const isCode = file.code[match.index] !== ' ';
    const specifier = match[1] ?? match[2];
    if (isCode && specifier !== undefined) found.push(specifier);
  }
  return found;
}

export interface FunctionSpan {
  readonly line: number;
  readonly lines: number;
}

const CONTROL = /(?:^|[^.\w])(?:if|for|while|switch|catch|with|await)\s*$/;
const SUITE = /\bdescribe(?:\.\w+)?\(\s*,\s*(?:\(\)\s*=>|function\s*\(\))$/;

/** The functions, methods and accessors of a file with the length of their bodies in lines. */
export function functionsOf({ code }: SourceFile): FunctionSpan[] {
  const spans: FunctionSpan[] = [];
  const open: Array<{ readonly at: number; readonly isFunction: boolean }> = [];
  const lineAt = (at: number) => code.slice(0, at).split('\n').length;
  for (let at = 0; at < code.length; at += 1) {
    if (code[at] === '{') open.push({ at, isFunction: opensFunction(code, at) });
    if (code[at] !== '}') continue;
    const start = open.pop();
    if (start?.isFunction !== true) continue;
    const line = lineAt(start.at);
    spans.push({ line, lines: lineAt(at) - line + 1 });
  }
  return spans;
}

function opensFunction(code: string, brace: number): boolean {
  const before = code.slice(Math.max(0, brace - 600), brace);
  const header = before.slice(before.search(/[^;{}]*$/)).trim();
  if (SUITE.test(header)) return false;
  if (header.endsWith('=>')) return true;
  if (/\b(?:class|interface|enum|namespace|module|import|export\s*$)\b/.test(header)) return false;
  const parameters = /\)(?:\s*:[^=()]*)?$/.exec(header);
  if (parameters === null) return /^[^=]*>$/.test(header);
  const close = brace - (before.length - before.lastIndexOf(')'));
  return !CONTROL.test(code.slice(0, matchingOpen(code, close)));
}

function matchingOpen(code: string, close: number): number {
  let depth = 0;
  for (let at = close; at >= 0; at -= 1) {
    if (code[at] === ')') depth += 1;
    if (code[at] === '(') depth -= 1;
    if (depth === 0) return at;
  }
  return 0;
}
