/**
 * `peerage create-plugin DIR`: a plugin that works and is tested, with everything an author needs to
 * change it: manifest, class, test, compiler settings, a README with the next steps.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '@peerage/sdk';
import { CORE_VERSION } from '../version.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';

/** Where the SDK lies beside this core: it need not be published for a first plugin. */
const SDK = fileURLToPath(new URL('../../../sdk', import.meta.url));
/** This core, so that `npx peerage` is this program in the plugin's directory too. */
const CORE = fileURLToPath(new URL('../..', import.meta.url));

export async function createPlugin(line: CommandLine, given: string | undefined): Promise<number> {
  if (given === undefined) throw usage('into which directory?');
  const directory = resolve(given);
  const id = basename(directory).toLowerCase();
  if (!/^[a-z][a-z0-9-]{0,40}$/.test(id)) {
    throw usage(`"${id}" is no plugin id: lower-case letters, digits and dashes`);
  }
  await mkdir(join(directory, 'test'), { recursive: true });
  if ((await readdir(directory)).length > 1) {
    throw new CodedError('E_PLUGIN_EXISTS', `${directory} is not empty`, {
      action: 'name a new directory',
    });
  }
  const files = template(id);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const steps = [
    `cd ${given}`,
    'npm install',
    'npm test              # compiles, and runs the plugin on an in-memory LAN of two nodes',
    'npx peerage dev .     # in a node of its own, started anew at every save',
  ];
  const text = [`${id}: ${Object.keys(files).join(', ')}`, ...steps.map((s) => `  ${s}`)];
  print(line, { id, directory, files: Object.keys(files), next: steps }, text.join('\n'));
  return 0;
}

function template(id: string): Readonly<Record<string, string>> {
  return {
    'package.json': `${JSON.stringify(packageJson(id), undefined, 2)}\n`,
    'tsconfig.json': `${JSON.stringify(TSCONFIG, undefined, 2)}\n`,
    'plugin.ts': PLUGIN,
    'test/plugin.test.ts': TEST,
    'README.md': readme(id),
    // The state of `peerage dev` holds a key.
    '.gitignore': 'node_modules\ndist\n.peerage\n',
  };
}

function packageJson(id: string): object {
  return {
    name: `peerage-plugin-${id}`,
    version: '0.1.0',
    type: 'module',
    main: 'dist/plugin.js',
    files: ['dist'],
    engines: { node: '>=20.20.0', peerage: `^${CORE_VERSION}` },
    scripts: { build: 'tsc', pretest: 'tsc', test: 'node --test dist/test/' },
    peerDependencies: { '@peerage/sdk': `^${CORE_VERSION}` },
    devDependencies: {
      '@peerage/core': `file:${CORE}`,
      '@peerage/sdk': `file:${SDK}`,
      '@peerage/testkit': `file:${join(SDK, 'testkit')}`,
      '@types/node': '20.19.43',
      typescript: '7.0.2',
    },
    peerage: {
      api: 1,
      id,
      displayName: id,
      urls: ['https://example.org/*'],
      settings: {
        type: 'object',
        additionalProperties: false,
        properties: { url: { type: 'string', default: 'https://example.org/' } },
      },
      commands: [{ name: 'get', description: 'get the URL of the settings and say its size' }],
    },
  };
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    rootDir: '.',
    outDir: 'dist',
    types: ['node'],
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
  },
  include: ['**/*.ts'],
  exclude: ['dist', 'node_modules'],
};

const PLUGIN = `import { CommandService, injectable, PeeringService, Plugin, PluginContext } from '@peerage/sdk';

@injectable()
export default class extends Plugin {
  constructor(
    private readonly peering: PeeringService,
    private readonly commands: CommandService,
    private readonly context: PluginContext<{ url: string }>,
  ) {
    super();
  }

  async activate() {
    const { subscriptions } = this.context;
    subscriptions.push(await this.commands.onCommand('get', () => this.get()));
  }

  private async get() {
    const { source, body } = await this.peering.open({ url: this.context.settings.url });
    let bytes = 0;
    for await (const chunk of body) bytes += chunk.length;
    return { text: \`\${bytes} bytes (\${source})\`, json: { bytes, source } };
  }
}
`;

const TEST = `import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { checkCompliance, TestLan } from '@peerage/testkit';
import MyPlugin from '../plugin.js';

const manifest = new URL('../../package.json', import.meta.url);

test('what one node has fetched, the other gets from it', async () => {
  const lan = new TestLan();
  lan.origin.serve('https://example.org/', 'hello');
  const one = await lan.node('one').start(MyPlugin, { manifest });
  const two = await lan.node('two').start(MyPlugin, { manifest });
  equal((await one.command('get')).text, '5 bytes (origin)');
  equal((await two.command('get')).text, '5 bytes (peer)');
  equal(lan.origin.requests.length, 1);
  await lan.end();
});

test('it keeps the rules that every plugin keeps', async () => {
  await checkCompliance(MyPlugin, { manifest });
});
`;

function readme(id: string): string {
  return `# ${id}

    npm install && npm test
    npx peerage dev .          # a node of its own with this plugin, started anew at every save
    npx peerage ${id} get      # in another terminal, with the --state that dev prints

Enable it in a running node: \`npm install\` it beside that node's plugins.json, then add

    "${id}": { "use": "peerage-plugin-${id}" }

to its \`plugins\`; \`peerage plugins validate\` says whether that is right, saving is enough.
`;
}
