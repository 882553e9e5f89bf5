/**
 * The repository's own rules, held by a test: who may import whom, how long things may be, what
 * must not stand in code, and that what is documented and what is there agree. Each rule is also
 * run on a made-up file that breaks it, so that a rule that catches nothing is noticed.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import {
  banBreaches,
  codesIn,
  documentedCodes,
  floorBreaches,
  headBreaches,
  LIBRARIES,
  nameBreaches,
  nodeBreaches,
  packageBreaches,
  sizeBreaches,
  textBreaches,
} from './breaches.js';
import {
  blankTexts,
  functionsOf,
  listFiles,
  ROOT,
  readSources,
  readText,
  sourceFile,
} from './source.js';

interface PackageFile {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const sources = readSources();
const packagePaths = listFiles(['package.json']);
const readPackage = (path: string) => JSON.parse(readText(path)) as PackageFile;

/** What a workspace may import: its own dependencies; tests also what the root develops with. */
function declared(workspace: string): ReadonlySet<string> {
  const own = readPackage(`${workspace}/package.json`);
  const root = workspace === 'test' ? readPackage('package.json').devDependencies : {};
  return new Set(
    [own.dependencies, own.peerDependencies, own.devDependencies, root].flatMap((table) =>
      Object.keys(table ?? {}),
    ),
  );
}

describe('the rules of the repository: structure', () => {
  it('every module imports only what stands below it', () => {
    deepEqual(floorBreaches(sources), []);
  });

  it('an import that goes up, sideways, into the core or into a test is noticed', () => {
    const wrong: Array<[path: string, specifier: string]> = [
      ['core/base/a.ts', '../protocol/limits.js'],
      ['core/protocol/a.ts', '../wire/frame.js'],
      ['core/wire/a.ts', '../trust/policy.js'],
      ['core/trust/a.ts', '../ports/ports.js'],
      ['core/peering/a.ts', '../transfer/store.js'],
      ['core/host/a.ts', '../peering/driver.js'],
      ['core/transfer/a.ts', '../composition.js'],
      ['core/main.ts', '../test/lan/host.js'],
      ['core/main.ts', '@peerage/url-cache'],
      ['plugins/x/a.ts', '@peerage/core/wire/open.js'],
      ['plugins/x/a.ts', '../y/plugin.js'],
      ['sdk/a.ts', '../core/base/assert.js'],
    ];
    for (const [path, specifier] of wrong) {
      const file = sourceFile(path, `import { a } from '${specifier}';\n`);
      equal(floorBreaches([file]).length, 1, `${path} imports ${specifier}`);
    }
    const typeOnly = sourceFile('core/wire/a.ts', "export type { A } from '../trust/a.js';\n");
    equal(floorBreaches([typeOnly]).length, 1);
    const lazy = sourceFile('sdk/a.ts', "const a = await import('../core/main.js');\n");
    equal(floorBreaches([lazy]).length, 1);
    const comment = sourceFile('sdk/a.ts', "// import { a } from '../core/main.js';\n");
    deepEqual(floorBreaches([comment]), []);
  });

  it('the heart imports no module of Node', () => {
    deepEqual(nodeBreaches(sources), []);
    const wrong = sourceFile('core/protocol/a.ts', "import { hash } from 'node:crypto';\n");
    equal(nodeBreaches([wrong]).length, 1);
  });

  it('every workspace imports only packages that it declares', () => {
    deepEqual(packageBreaches(sources, declared), []);
    const wrong = sourceFile('sdk/a.ts', "import got from 'got/dist/x.js';\n");
    equal(packageBreaches([wrong], declared).length, 1);
  });

  it('no plugin declares the core or another plugin', () => {
    const plugins = packagePaths.filter((path) => path.startsWith('plugins/'));
    ok(plugins.length > 0);
    for (const path of plugins) {
      const ours = [...declared(dirname(path))].filter((name) => name.startsWith('@peerage/'));
      const allowed = ['sdk', ...LIBRARIES].map((name) => `@peerage/${name}`);
      deepEqual(
        ours.filter((name) => !allowed.includes(name)),
        [],
        path,
      );
    }
  });

  it('every TypeScript project is referenced from the root', () => {
    const root = JSON.parse(readText('tsconfig.json')) as { references: Array<{ path: string }> };
    const projects = listFiles(['/tsconfig.json']).map((path) => dirname(path));
    deepEqual(root.references.map(({ path }) => path).sort(), projects.sort());
  });
});

describe('the rules of the repository: size and form', () => {
  it('no file is longer than 400 lines and no function longer than 70', () => {
    deepEqual(sizeBreaches(sources), []);
  });

  it('too long a file, function, method, arrow or callback is noticed', () => {
    const body = 'x();\n'.repeat(70);
    const heads = [
      'function a(b: { c: string }): Promise<{ d: 1 }> {',
      'class A { async *b<T>(c: T): AsyncGenerator<T> {',
      'const a = (b) => {',
      `it(\`a $\{b({ c: "}" })}\`, async () => {`,
      'class A { get b(): string {',
    ];
    for (const head of heads) {
      const close = '}'.repeat(head.startsWith('class') ? 2 : 1);
      const file = sourceFile('core/a.ts', `${head}\n${body}${close}\n`);
      equal(sizeBreaches([file]).length, 1, head);
    }
    const plain = [
      'class A {',
      'interface A {',
      'const A = {',
      "describe('a', () => {",
      'if (a) {',
    ];
    for (const head of plain) {
      deepEqual(functionsOf(sourceFile('test/a.ts', `${head}\n${body}}\n`)), [], head);
    }
    equal(sizeBreaches([sourceFile('core/a.ts', 'x();\n'.repeat(401))]).length, 1);
  });

  it('braces in texts, templates, comments and regular expressions do not count', () => {
    const text = `const a = /[/{]\\//.test('{') /* { */ ? \`{$\{b({ c: \`}\` })}{\` : '\\'{'; // {\nd();`;
    const code = blankTexts(text);
    equal(code.length, text.length);
    equal(code.replace(/\s+/g, ' '), 'const a = .test( ) ? b({ c: }) : ; d();');
  });

  it('every source file begins with a head comment', () => {
    deepEqual(headBreaches(sources), []);
    equal(headBreaches([sourceFile('a.ts', 'export {};\n')]).length, 1);
  });

  it('the top has four folders: core, plugins, sdk, test', () => {
    const folders = new Set(
      listFiles(['']).flatMap((path) => (path.includes('/') ? [path.split('/')[0] ?? ''] : [])),
    );
    deepEqual([...folders].filter((name) => !name.startsWith('.')).sort(), [
      'core',
      'plugins',
      'sdk',
      'test',
    ]);
  });

  it('no file or folder has a name that says nothing', () => {
    deepEqual(nameBreaches(listFiles([''])), []);
    const wrong = ['core/utils/a.ts', 'core/string-helpers.ts', 'sdk/Manager.ts', 'sdk/common.ts'];
    deepEqual(nameBreaches(wrong), wrong);
  });
});

describe('the rules of the repository: words', () => {
  it('no clock, chance or timer in the heart, no container outside composition, no sleeping test', () => {
    deepEqual(banBreaches(sources), []);
  });

  it('each banned word is noticed where it is banned, in code only', () => {
    const wrong: Array<[path: string, code: string]> = [
      ['core/base/a.ts', 'const now = Date.now();'],
      ['core/protocol/a.ts', 'const now = new Date();'],
      ['core/protocol/a.ts', 'const now = performance.now();'],
      ['core/protocol/a.ts', 'const chance = Math.random();'],
      ['core/base/a.ts', 'setTimeout(run, 5);'],
      ['core/protocol/a.ts', 'async function run() {}'],
      ['core/host/host.ts', "import { container, inject } from 'tsyringe';"],
      ['test/a.ts', 'await new Promise((done) => setTimeout(done, 5));'],
      ['test/a.ts', "it.only('a', run);"],
      ['test/a.ts', "describe.skip('a', run);"],
    ];
    for (const [path, code] of wrong) {
      equal(banBreaches([sourceFile(path, code)]).length, 1, code);
      deepEqual(banBreaches([sourceFile(path, `// ${code}`)]), [], code);
    }
    deepEqual(banBreaches([sourceFile('core/base/a.ts', 'async function run() {}')]), []);
  });

  it('nothing is left unfinished and nothing names a path of one machine', () => {
    const endings = ['.ts', '.js', '.json', '.md', '.txt', '.html', '.sh', '.yml'];
    const files = listFiles(endings)
      .filter((path) => path !== 'package-lock.json')
      .map((path) => ({ path, text: readText(path) }));
    const home = homedir();
    deepEqual(textBreaches(files, [ROOT, ...(home.length > 6 ? [`${home}/`] : [])]), []);
    const wrong = ['// TO' + 'DO: a', '// FIX' + 'ME', 'read("/ho' + 'me/me/a")', `"${ROOT}core"`];
    for (const text of wrong) equal(textBreaches([{ path: 'a', text }], [ROOT]).length, 1, text);
  });
});

describe('the rules of the repository: what is documented', () => {
  const product = sources.filter(({ path }) => /^(core|sdk|plugins)\//.test(path));
  const used = new Set(product.flatMap(({ text }) => codesIn(text)));
  /** The root README, and of each plugin its own: codes that a plugin alone throws stand there. */
  const pages = listFiles(['README.md']).filter((path) => /^(plugins\/[^/]+\/)?README/.test(path));
  const documented = new Map(pages.flatMap((path) => [...documentedCodes(readText(path))]));

  it('every error code is in the README of the project or of the plugin that throws it', () => {
    const missing = product.flatMap(({ path, text }) => {
      const near = path.match(/^plugins\/[^/]+\//)?.[0];
      const own = near === undefined ? [] : pages.filter((page) => page.startsWith(near));
      const said = new Set(
        ['README.md', ...own].flatMap((page) => [...documentedCodes(readText(page)).keys()]),
      );
      return codesIn(text).filter((code) => !said.has(code));
    });
    deepEqual([...new Set(missing)].sort(), []);
  });

  it('every error code of a README is in the sources', () => {
    deepEqual([...documented.keys()].filter((code) => !used.has(code)).sort(), []);
  });

  it('every row says what happened and what to do', () => {
    for (const [code, cells] of documented) {
      equal(cells.length, 2, code);
      for (const cell of cells) ok(cell.length > 10, code);
    }
    for (const page of pages) {
      const codes = [...documentedCodes(readText(page)).keys()];
      deepEqual(codes, [...codes].sort(), page);
    }
  });
});

describe('the rules of the repository: dependencies', () => {
  it('every dependency is pinned to one exact version', () => {
    for (const path of packagePaths) {
      const { dependencies, devDependencies } = readPackage(path);
      for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
        ok(/^\d+\.\d+\.\d+$/.test(version), `${path}: ${name} ${version}`);
      }
    }
  });

  it('no dependency runs a script when it is installed', () => {
    const lock = JSON.parse(readText('package-lock.json')) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
    deepEqual(
      scripted.map(([name]) => name),
      [],
    );
    ok(Object.keys(lock.packages).length > 10);
  });

  it('the lock file names no host of a registry', () => {
    deepEqual([...readText('package-lock.json').matchAll(/"resolved": "https?:[^"]+"/g)], []);
  });
});
