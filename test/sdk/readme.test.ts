/** The SDK's README: every public name is in it, and its examples are compiled and run as they stand. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MANIFEST_SCHEMA } from '@peerage/core/host/manifest-schema.js';
import { CONFIGURATION_SCHEMA } from '@peerage/core/ports/configuration.js';
import { Ajv } from 'ajv';
import { useScratch } from '../fakes/scratch.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

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
  include: ['*.ts'],
};

const TOUR_TEST = `import { deepEqual, equal, match } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { TestLan } from '@peerage/testkit';
import Tour from './tour.js';

const manifest = JSON.parse(readFileSync(new URL('../tour.json', import.meta.url), 'utf8'));
test('every service does what the README says', async () => {
  const lan = new TestLan();
  lan.origin.serve('https://tour.example/list', 'the list');
  lan.origin.serve('https://tour.example/report', '');
  const one = await lan.node('one').start(Tour, { manifest });
  const two = await lan.node('two').start(Tour, { manifest });
  lan.elect('tour', 'one');
  lan.node('one').programs.set('wc', () => ({ stdout: '8' }));
  await lan.clock.advance(120_000);
  equal(lan.node('two').fresh('tour:list-8'), undefined);
  equal((await two.peering.find({ url: 'tour:list-8' }))?.node, 'one');
  equal(two.said('told')[0]?.fields['version'], '8');
  const answer = await one.command('update', 'now');
  deepEqual([answer.text, answer.exitCode], ['updated now', 0]);
  const plugin = one.instance as Tour;
  equal(await plugin.count('x'), 8);
  match(await plugin.report('https://tour.example/report'), /sent: 200/);
  match(await plugin.report('https://other.example/'), /E_UPLOAD_NOT_GRANTED/);
  equal((await plugin.who('https://tour.example/list'))?.where, 'own');
  await plugin.way().catch((error) => equal(error.code, 'E_ORIGIN_UNREACHABLE'));
  equal((await plugin.forget())[0], '');
  await lan.end();
});
`;

/** The examples by the file names that stand behind their fences. */
function examplesOf(readme: string): Map<string, string> {
  const fences = [...readme.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)];
  return new Map(fences.map(([, name = '', text = '']) => [name, text]));
}

describe('the README of the SDK', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  let readme = '';
  before(async () => {
    readme = await readFile(join(ROOT, 'sdk', 'README.md'), 'utf8');
  });

  it('names everything that the SDK exports', async () => {
    const index = await readFile(join(ROOT, 'sdk', 'index.ts'), 'utf8');
    const lists = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)].map(([, list = '']) => list);
    const names = lists
      .flatMap((list) => list.split(','))
      .map((name) => name.replace('type ', '').trim());
    const missing = names.filter((name) => name !== '' && !readme.includes(`\`${name}\``));
    assert.deepEqual(missing, []);
  });

  it('says a hello world of at most 30 lines with its manifest', () => {
    const examples = examplesOf(readme);
    const lines = `${examples.get('hello.ts')}${examples.get('package.json')}`.trim().split('\n');
    const written = lines.filter((line) => line.trim() !== '');
    assert.ok(written.length <= 30, `${written.length} lines`);
    assert.ok((examples.get('script.ts') ?? '').trim().split('\n').length <= 20);
  });

  it('has examples that compile and run', async () => {
    const directory = scratch('readme');
    await mkdir(directory, { recursive: true });
    const files = new Map(examplesOf(readme));
    files.set('tsconfig.json', JSON.stringify(TSCONFIG));
    files.set('tour.test.ts', TOUR_TEST);
    for (const [name, text] of files) await writeFile(join(directory, name), text);
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    await run(process.execPath, [TSC], { cwd: directory }).catch((error: { stdout: string }) => {
      throw new Error(error.stdout);
    });
    for (const name of ['hello', 'tour']) {
      await run(process.execPath, ['--test', `dist/${name}.test.js`], { cwd: directory }).catch(
        (error: { stdout: string }) => {
          throw new Error(error.stdout);
        },
      );
    }
    assert.match(await runScript(directory), /from peer, by me/);
    assert.equal(await readFile(join(directory, 'got'), 'utf8'), 'bytes');
  });

  it('shows manifests and grants that the schemas take, as the files for editors say them', async () => {
    const examples = examplesOf(readme);
    const parsed = (name: string) =>
      JSON.parse(examples.get(name) ?? '') as Record<string, unknown>;
    const ajv = new Ajv({ strict: false });
    const isManifest = ajv.compile(MANIFEST_SCHEMA);
    assert.ok(isManifest(parsed('tour.json')), JSON.stringify(isManifest.errors));
    assert.ok(isManifest(parsed('package.json')['peerage']), JSON.stringify(isManifest.errors));
    const isConfiguration = ajv.compile(CONFIGURATION_SCHEMA);
    const configuration = { plugins: { tour: parsed('grant.json') } };
    assert.ok(isConfiguration(configuration), JSON.stringify(isConfiguration.errors));
    const read = async (path: string) =>
      JSON.parse(await readFile(join(ROOT, path), 'utf8')) as unknown;
    const plain = (schema: object) => JSON.parse(JSON.stringify(schema)) as unknown;
    assert.deepEqual(await read('sdk/manifest.schema.json'), plain(MANIFEST_SCHEMA));
    assert.deepEqual(await read('core/plugins.schema.json'), plain(CONFIGURATION_SCHEMA));
  });
});

/** The script of the README against a socket that answers as a node does. */
async function runScript(directory: string): Promise<string> {
  const servers = ['control.sock', 'status.sock'].map((name) => {
    const server = createServer((request, response) => {
      const isGet = request.url?.startsWith('/get?') === true;
      response.writeHead(200, isGet ? { 'peerage-source': 'peer', 'peerage-status': '200' } : {});
      response.end(isGet ? 'bytes' : '{"name":"me"}');
    });
    return server.listen(join(directory, name));
  });
  try {
    const env = { ...process.env, PEERAGE_STATE: directory };
    const args = ['dist/script.js', 'https://a.example/', 'got'];
    return (await run(process.execPath, args, { cwd: directory, env })).stdout;
  } finally {
    for (const server of servers) server.close();
  }
}
