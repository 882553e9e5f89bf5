/**
 * The repository's rules, each a function from source files to a list of breaches, so that the
 * same rule is run on the checkout and on made-up files that break it.
 */
import { functionsOf, importsOf, listFiles, type SourceFile } from './source.js';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

const SHELLS = ['peering', 'transfer', 'host'];
/** The floors of the core from the ground up; a floor imports what stands before it. */
const FLOORS = ['base', 'protocol', 'wire', 'trust', 'ports'];

/** The workspaces below the SDK that plugins share, by name. */
export const LIBRARIES: readonly string[] = listFiles(['package.json']).flatMap((path) => {
  return /^sdk\/([^/]+)\/package\.json$/.exec(path)?.slice(1) ?? [];
});

/** `sdk`, a library below it, a floor of the core, `core` for its top, `plugins/x` or `test`. */
export function moduleOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  if (first === 'plugins') return `plugins/${second}`;
  if (first === 'sdk' && LIBRARIES.includes(second)) return `sdk/${second}`;
  if (first === 'core' && [...FLOORS, ...SHELLS].includes(second)) return `core/${second}`;
  return first;
}

function mayImport(from: string, to: string): boolean {
  if (from === to || from === 'test') return true;
  if (to === 'test' || to.startsWith('plugins/')) return false;
  if (to === 'sdk') return true;
  if (to.startsWith('sdk/')) return from.startsWith('sdk/') || from.startsWith('plugins/');
  const floor = from.slice('core/'.length);
  const below = FLOORS.slice(0, FLOORS.includes(floor) ? FLOORS.indexOf(floor) : undefined);
  if (from === 'core') return to.startsWith('core/');
  return from.startsWith('core/') && below.some((name) => to === `core/${name}`);
}

/** Where a specifier leads, as a path of the checkout, or `undefined` for a foreign package. */
function target(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return new URL(specifier, `file:///${file}`).pathname.slice(1);
  const own = /^@peerage\/([^/]+)(\/.*)?$/.exec(specifier);
  if (own === null) return undefined;
  const [, name = '', rest = ''] = own;
  if (LIBRARIES.includes(name)) return `sdk/${name}${rest}`;
  return ['sdk', 'core', 'test'].includes(name) ? `${name}${rest}` : `plugins/${name}${rest}`;
}

/** Imports that go up, sideways between shells, or out of a plugin. */
export function floorBreaches(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      const to = target(file.path, specifier);
      const from = moduleOf(file.path);
      if (to === undefined || mayImport(from, moduleOf(to))) return [];
      return [`${file.path}: ${from} must not import ${specifier}`];
    }),
  );
}

/** Node's modules in the parts that are compiled without Node's types. */
export function nodeBreaches(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => ['core/base', 'core/protocol'].includes(moduleOf(path)))
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('node:'))
        .map((specifier) => `${file.path}: must not import ${specifier}`),
    );
}

/** Packages that the importing workspace does not declare; `declared` says what each may use. */
export function packageBreaches(
  files: readonly SourceFile[],
  declared: (module: string) => ReadonlySet<string>,
): string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) return [];
      const [scope = '', name = ''] = specifier.split('/');
      const wanted = scope.startsWith('@') ? `${scope}/${name}` : scope;
      const module = moduleOf(file.path);
      const workspace = module.startsWith('core/') ? 'core' : module;
      if (declared(workspace).has(wanted)) return [];
      return [`${file.path}: ${wanted} is not in the package.json of ${workspace}`];
    }),
  );
}

export function sizeBreaches(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const lines = file.text.replace(/\n$/, '').split('\n').length;
    const long = functionsOf(file)
      .filter((span) => span.lines > FUNCTION_LINES_MAX)
      .map((span) => `${file.path}:${span.line}: a function of ${span.lines} lines`);
    return lines > FILE_LINES_MAX ? [`${file.path}: ${lines} lines`, ...long] : long;
  });
}

export function headBreaches(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ text }) => !text.startsWith('/**'))
    .map(({ path }) => `${path}: does not begin with a head comment`);
}

interface Ban {
  readonly pattern: RegExp;
  readonly what: string;
  readonly applies: (path: string) => boolean;
}

const inHeart = (path: string) => /^core\/(base|protocol)\//.test(path);
const inProtocol = (path: string) => path.startsWith('core/protocol/');
const inTest = (path: string) => path.startsWith('test/');

/** Words that must not stand in code; comments and texts may say them. */
const BANS: readonly Ban[] = [
  { pattern: /\bDate\.now\b|\bnew Date\b|\bperformance\b/, what: 'a clock', applies: inHeart },
  { pattern: /\bMath\.random\b/, what: 'ambient chance', applies: inHeart },
  { pattern: /\bset(Timeout|Interval|Immediate)\b/, what: 'a timer', applies: inHeart },
  { pattern: /\basync\b|\bawait\b|\bPromise\b/, what: 'waiting', applies: inProtocol },
  {
    pattern: /\bimport\s*\{[^}]*\bcontainer\b/,
    what: 'the container',
    applies: (path) => !inTest(path) && path !== 'core/composition.ts',
  },
  {
    pattern: /\bset(Timeout|Interval)\b|\bsleep\b/,
    what: 'a wait for time to pass',
    // Looking again in a while, and traffic at a rate, are each in one place.
    applies: (path) => inTest(path) && !/^test\/lan\/(until|pace)\.ts$/.test(path),
  },
  {
    pattern: /\b(?:it|describe|context|specify|suite|test)\.(?:only|skip)\b|\bx(?:it|describe)\(/,
    what: 'a test switched off',
    applies: inTest,
  },
];

export function banBreaches(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    BANS.flatMap(({ pattern, what, applies }) => {
      const at = applies(file.path) ? file.code.search(pattern) : -1;
      return at < 0 ? [] : [`${file.path}:${lineOf(file.code, at)}: ${what}`];
    }),
  );
}

const VAGUE = /^(?:utils?|helpers?|managers?|commons?)$/i;

/** Files and folders whose name says nothing. */
export function nameBreaches(paths: readonly string[]): string[] {
  return paths.filter((path) => path.split(/[/.-]/).some((word) => VAGUE.test(word)));
}

/** Texts that belong to one machine or to an unfinished change; looked for in comments too. */
export function textBreaches(
  files: ReadonlyArray<Pick<SourceFile, 'path' | 'text'>>,
  machinePaths: readonly string[],
): string[] {
  const unfinished = /\b(?:T[O]DO|F[I]XME)\b/;
  const personal = /(?:^|[\s'"`(=])(?:\/(?:home|Users)\/[a-z]|[A-Z]:\\Users\\)/;
  return files.flatMap(({ path, text }) => {
    const found: string[] = [];
    for (const pattern of [unfinished, personal]) {
      const at = text.search(pattern);
      if (at >= 0) found.push(`${path}:${lineOf(text, at)}: ${text.slice(at, at + 20).trim()}`);
    }
    for (const machine of machinePaths) {
      const at = text.indexOf(machine);
      if (at >= 0) found.push(`${path}:${lineOf(text, at)}: a path of one machine`);
    }
    return found;
  });
}

/** The error codes that stand in quotes in a text. */
export function codesIn(text: string): string[] {
  return [...text.matchAll(/['"`](E_[A-Z0-9_]*[A-Z0-9])['"`]/g)].map((match) => match[1] ?? '');
}

/** The rows of the table under `## Error codes` of the README: code to its other columns. */
export function documentedCodes(readme: string): Map<string, string[]> {
  const section = readme.split(/^## /m).find((part) => part.startsWith('Error codes')) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `E_'));
  return new Map(
    rows.map((row) => {
      const [code = '', ...cells] = row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [code.replace(/`/g, ''), cells] as const;
    }),
  );
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}
