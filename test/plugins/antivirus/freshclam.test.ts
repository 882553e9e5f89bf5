/**
 * What the real freshclam asks and does, case by case: the ground that the mirror is built on.
 *
 * Each case is a server that answers in one way, freshclam with a database of some version, the
 * requests that it makes, its exit code, and the version that it has afterwards.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Databases } from '@peerage/antivirus/clamav/databases.js';
import { useScratch } from '../../fakes/scratch.js';
import { installClamav, missingClamav } from '../../lan/clamav-programs.js';
import { skipIf } from '../../lan/skip.js';
import { publisher, versionOf } from './clamav-origin.js';
import { RealPrograms } from './rig.js';

type Answer = { readonly status: number; readonly body?: Buffer | string };

interface Case {
  readonly what: string;
  /** The version that freshclam has; none if absent. */
  readonly local?: number;
  readonly isPrivate?: boolean;
  readonly server: Readonly<Record<string, Answer>>;
  readonly requests: readonly string[];
  readonly exitCode: number;
  readonly version: number | undefined;
}

const NOT_FOUND: Answer = { status: 404 };
const database = (version: number): Answer => ({ status: 200, body: versionOf(version).database });
const difference = (version: number): Answer => ({
  status: 200,
  body: versionOf(version).difference,
});
const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy[bytes.length - 60] = (copy[bytes.length - 60] ?? 0) ^ 1;
  return copy;
};
const forged = publisher.withHeader(versionOf(3).database, (fields) => {
  fields[2] = '9';
});
const HEADER = '/test.cvd head 206';
const WHOLE = '/test.cvd 200';

const CASES: readonly Case[] = [
  {
    what: 'PrivateMirror, no database yet',
    ...{ isPrivate: true, server: { '/test.cvd': database(3) }, exitCode: 0, version: 3 },
    requests: ['/test.cld head 404', HEADER, WHOLE],
  },
  {
    what: 'PrivateMirror, one behind: the whole, although there is a difference',
    ...{ isPrivate: true, local: 2, exitCode: 0, version: 3 },
    server: { '/test.cvd': database(3), '/test-3.cdiff': difference(3) },
    requests: ['/test.cld head since 404', '/test.cvd head since 206', '/test.cvd since 200'],
  },
  {
    what: 'DatabaseMirror, no database yet',
    ...{ server: { '/test.cvd': database(3) }, exitCode: 0, version: 3 },
    requests: [HEADER, WHOLE],
  },
  {
    what: 'two behind, with differences',
    ...{ local: 1, exitCode: 0, version: 3 },
    server: {
      ...{ '/test.cvd': database(3), '/test-2.cdiff': difference(2) },
      '/test-3.cdiff': difference(3),
    },
    requests: ['/test.cvd head since 206', '/test-2.cdiff 200', '/test-3.cdiff 200'],
  },
  {
    what: 'one behind, its difference not there: it stays behind and says nothing',
    ...{ local: 3, server: { '/test.cvd': database(4) }, exitCode: 0, version: 3 },
    requests: ['/test.cvd head since 206', '/test-4.cdiff 404'],
  },
  {
    what: 'two behind, the first difference not there',
    ...{ local: 3, exitCode: 0, version: 5 },
    server: { '/test.cvd': database(5), '/test-5.cdiff': difference(5) },
    requests: ['/test.cvd head since 206', '/test-4.cdiff 404', '/test.cvd since 200'],
  },
  {
    what: 'an empty difference: take the whole',
    ...{ local: 3, exitCode: 0, version: 4 },
    server: { '/test.cvd': database(4), '/test-4.cdiff': { status: 200, body: '' } },
    requests: ['/test.cvd head since 206', '/test-4.cdiff 200', '/test.cvd since 200'],
  },
  {
    what: 'a corrupted difference',
    ...{ local: 3, exitCode: 0, version: 4 },
    server: {
      '/test.cvd': database(4),
      '/test-4.cdiff': { status: 200, body: flipped(versionOf(4).difference) },
    },
    requests: ['/test.cvd head since 206', '/test-4.cdiff 200', '/test.cvd since 200'],
  },
  {
    what: 'a database with a flipped byte',
    server: { '/test.cvd': { status: 200, body: flipped(versionOf(3).database) } },
    ...{ requests: [HEADER, WHOLE], exitCode: 7, version: undefined },
  },
  {
    what: 'a forged version over a genuine content',
    server: { '/test.cvd': { status: 200, body: forged } },
    ...{ requests: [HEADER, WHOLE], exitCode: 7, version: undefined },
  },
  {
    what: 'a mirror that went back',
    ...{ local: 5, server: { '/test.cvd': database(3) }, exitCode: 0, version: 5 },
    requests: ['/test.cvd head since 206'],
  },
  {
    what: 'a captive portal',
    local: 3,
    server: { '/test.cvd': { status: 200, body: '<html>log in</html>'.padEnd(600) } },
    ...{ requests: ['/test.cvd head since 206'], exitCode: 11, version: 3 },
  },
  {
    what: '404',
    ...{ local: 3, server: {}, exitCode: 11, version: 3 },
    requests: ['/test.cvd head since 404'],
  },
  {
    what: '503',
    ...{ local: 3, server: { '/test.cvd': { status: 503 } }, exitCode: 11, version: 3 },
    requests: ['/test.cvd head since 503'],
  },
];

describe('antivirus: the real freshclam', () => {
  const scratch = useScratch();
  let programs: RealPrograms;
  let server: Server;
  let answers: Readonly<Record<string, Answer>> = {};
  const requests: string[] = [];

  before(skipIf(missingClamav));
  before(async () => {
    programs = new RealPrograms(installClamav(scratch('programs'), publisher.keys));
    server = createServer((request, response) => {
      const { url = '', headers } = request;
      const { status, body = '' } = answers[url] ?? NOT_FOUND;
      const isHead = headers.range === 'bytes=0-511';
      const actual = status === 200 && isHead ? 206 : status;
      const since = headers['if-modified-since'] === undefined ? [] : ['since'];
      requests.push([url, ...(isHead ? ['head'] : []), ...since, actual].join(' '));
      response.writeHead(actual, { connection: 'close' });
      response.end(isHead ? Buffer.from(body).subarray(0, 512) : body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => server?.close());

  async function run(home: string, isPrivate: boolean): Promise<number> {
    const { port } = server.address() as AddressInfo;
    const config = join(home, 'freshclam.conf');
    const mirror = isPrivate ? 'PrivateMirror' : 'DatabaseMirror';
    const lines = [
      ...[`DatabaseDirectory ${home}/db`, 'DatabaseOwner root', 'MaxAttempts 1'],
      ...['DNSDatabaseInfo no', `${mirror} http://127.0.0.1:${port}`, 'ExtraDatabase test'],
      ...['main', 'daily', 'bytecode'].map((name) => `ExcludeDatabase ${name}`),
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    const { exitCode } = await programs.run('freshclam', { config });
    return exitCode;
  }

  function home(local: number | undefined): string {
    const made = scratch('home');
    mkdirSync(join(made, 'db'), { recursive: true });
    if (local !== undefined) {
      writeFileSync(join(made, 'db/test.cvd'), versionOf(local).database);
    }
    return made;
  }

  async function versionIn(directory: string): Promise<number | undefined> {
    const work = { directory: join(directory, 'db'), workDirectory: directory };
    return (await new Databases({ ...work, programs, clamd: undefined }).find('test'))?.version;
  }

  for (const { what, local, isPrivate = false, server: given, ...expected } of CASES) {
    it(`${what}: ${expected.requests.join(', ')}`, async () => {
      const directory = home(local);
      requests.length = 0;
      answers = given;
      equal(await run(directory, isPrivate), expected.exitCode);
      deepEqual(requests, expected.requests);
      equal(await versionIn(directory), expected.version);
    });
  }

  it('five behind: five differences instead of the whole', async () => {
    const directory = home(1);
    const all = [2, 3, 4, 5, 6].map((version) => [`/test-${version}.cdiff`, difference(version)]);
    answers = { '/test.cvd': database(6), ...Object.fromEntries(all) };
    requests.length = 0;
    equal(await run(directory, false), 0);
    equal(requests.length, 6, requests.join(', '));
    equal(await versionIn(directory), 6);
  });

  for (const status of [403, 429]) {
    it(`${status}: it asks nothing at all for hours`, async () => {
      const directory = home(3);
      answers = { '/test.cvd': { status } };
      requests.length = 0;
      await run(directory, false);
      equal(requests.length, 1);
      answers = { '/test.cvd': database(4), '/test-4.cdiff': difference(4) };
      equal(await run(directory, false), 0);
      equal(requests.length, 1);
      equal(await versionIn(directory), 3);
    });
  }
});
