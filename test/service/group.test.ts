/** Three nodes of one group on one machine: they find each other and share what one has fetched. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { PeerStatus } from '@peerage/core/ports/ports.js';
import type { WhyRecord } from '@peerage/core/ports/why.js';
import { contentOf, sha256Of } from '../fakes/content.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { freePacketPort, freePort } from '../fakes/ports.js';
import { useScratch } from '../fakes/scratch.js';
import { jsonOf, type NodeProcess, peerage, useNodes } from './program.js';

const NAMES = ['anna', 'bert', 'cleo'];

/** State directories with identities of one group: the first holds the authority. */
async function enrol(directories: readonly string[]): Promise<void> {
  const [first = ''] = directories;
  const made = await peerage(
    'ca',
    'init',
    '--group',
    'office',
    '--name',
    'anna',
    '--json',
    '--state',
    first,
  );
  assert.equal(jsonOf<{ group: string }>(made).group, 'office');
  for (const [i, directory] of directories.entries()) {
    if (i === 0) continue;
    const name = NAMES[i] ?? `node${i}`;
    const file = join(first, `${name}.pem`);
    await mkdir(directory, { recursive: true });
    const issued = await peerage('ca', 'issue', name, '--out', file, '--state', first);
    assert.equal(issued.code, 0, issued.stderr);
    await copyFile(file, join(directory, 'identity.pem'));
  }
}

/** The record of a node that had it from a peer: who answered, who gave the bytes, who signed. */
async function explains(node: NodeProcess | undefined, url: string): Promise<void> {
  const [record] = (await node?.json<WhyRecord[]>('why', url)) ?? [];
  assert.ok(record !== undefined);
  assert.deepEqual([record.service, record.source], ['cli', 'peer']);
  assert.ok(
    record.answers.some(({ node: name, answer }) => name === 'anna' && answer === 'has-it'),
  );
  assert.deepEqual(record.bytes, [{ from: 'anna', sizeBytes: 3_000_000 }]);
  assert.equal(record.internet, undefined);
  assert.equal(record.provenance?.fetchedBy, 'anna');
  const text = (await node?.run('why', url))?.stdout.toString() ?? '';
  assert.match(text, /anna has it, after [\d.]+ ms/);
  assert.match(text, /Internet {2}not used/);
  assert.match(text, /fetched {3}by anna, .* who signed for [0-9a-f]{64}/);
}

describe('three nodes on one machine', function () {
  this.timeout(180_000);
  const scratch = useScratch();
  const { start, launch } = useNodes();
  let origin: LoopbackOrigin;
  let ports: { packetPort: number; objectPort: number };
  beforeEach(async () => {
    origin = await LoopbackOrigin.start();
    const [packetPort, objectPort] = [
      await freePacketPort('127.0.0.1'),
      await freePort('127.0.0.1'),
    ];
    ports = { packetPort, objectPort };
  });
  afterEach(() => origin.close());

  const settings = (i: number, more: object = {}) => {
    const address = `127.0.0.${i + 11}`;
    return { core: { address, originAllow: ['127.0.0.0/8'], ...ports, ...more } };
  };

  /** Waits until the node sees so many others, and says which. */
  async function peersOf(node: NodeProcess, count: number): Promise<PeerStatus[]> {
    for (;;) {
      const peers = await node.json<PeerStatus[]>('peers');
      if (peers.length >= count) return peers;
    }
  }

  it('see each other, and fetch one object from the Internet once', async () => {
    const directories = NAMES.map(() => scratch('n'));
    await enrol(directories);
    const nodes = await Promise.all(
      directories.map((directory, i) => start(directory, settings(i))),
    );
    for (const [i, node] of nodes.entries()) {
      const others = (await peersOf(node, 2)).map(({ name, address }) => `${name} ${address}`);
      const expected = NAMES.map((name, j) => `${name} 127.0.0.${j + 11}`);
      assert.deepEqual(others.sort(), expected.filter((_, j) => j !== i).sort());
    }
    const content = contentOf('group', 3_000_000);
    const hex = sha256Of(content);
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=600' } });
    const sources: unknown[] = [];
    for (const node of nodes) {
      const file = join(node.directory, 'out');
      const words = ['get', origin.url('/a'), '--sha256', hex, '-o', file];
      const { source } = await node.json<{ source: string }>(...words);
      assert.ok((await readFile(file)).equals(content));
      sources.push(source);
    }
    assert.deepEqual(sources, ['origin', 'peer', 'peer']);
    assert.equal(origin.count('/a'), 1);
    await explains(nodes[1], origin.url('/a'));
    const fetchers = await Promise.all(
      nodes.map(
        async (node) => (await node.json<Array<{ fetchedBy: string }>>('cache', 'list'))[0],
      ),
    );
    assert.deepEqual(
      fetchers.map((entry) => entry?.fetchedBy),
      ['anna', 'anna', 'anna'],
    );
    await Promise.all(nodes.map((node) => node.stop()));
  });

  it('may ask at the same moment, and one without Internet gets it from them', async () => {
    const directories = NAMES.map(() => scratch('n'));
    await enrol(directories);
    const nodes = await Promise.all(
      directories.map((directory, i) => start(directory, settings(i, { internet: i !== 2 }))),
    );
    const offline = nodes.pop();
    assert.ok(offline !== undefined);
    for (const node of [...nodes, offline]) await peersOf(node, 2);
    const content = contentOf('at once', 4_000_000);
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=600', etag: '"a"' } });
    const words = ['get', origin.url('/a'), '--sha256', sha256Of(content)];
    const got = await Promise.all(nodes.map((node) => node.run(...words)));
    for (const { code, stdout, stderr } of got) {
      assert.equal(code, 0, stderr);
      assert.ok(stdout.equals(content));
    }
    assert.equal(
      (await offline.json<{ source: string }>(...words, '-o', scratch('out'))).source,
      'peer',
    );
    const count = origin.count('/a');
    assert.ok(count >= 1 && count <= nodes.length, `the origin was asked ${count} times`);
  });

  it('go on when one is killed and one has left', async () => {
    const directories = NAMES.map(() => scratch('n'));
    await enrol(directories);
    const [anna, bert, cleo] = await Promise.all(
      directories.map((directory, i) => start(directory, settings(i))),
    );
    assert.ok(anna && bert && cleo);
    for (const node of [anna, bert, cleo]) await peersOf(node, 2);
    await bert.stop('SIGTERM');
    await cleo.stop('SIGKILL');
    const content = contentOf('alone', 100_000);
    origin.serve('/b', { content, headers: {} });
    const { code, stdout } = await anna.run('get', origin.url('/b'), '--sha256', sha256Of(content));
    assert.equal(code, 0);
    assert.ok(stdout.equals(content));
  });

  it('cannot start where a port is taken, say which, and leave nothing', async () => {
    const directory = scratch('n');
    await enrol([directory]);
    const { address } = settings(0).core;
    const packets = createSocket('udp4');
    await new Promise<void>((resolve) => packets.bind(ports.packetPort, address, resolve));
    const first = await (await launch(directory, settings(0))).exited;
    assert.equal(first.code, 1);
    assert.match(
      first.stderr,
      new RegExp(`UDP ${address}:${ports.packetPort}.*\\[E_PORT_TAKEN\\]`),
    );
    await new Promise<void>((resolve) => packets.close(resolve));
    const objects = createServer();
    await new Promise<void>((resolve) => objects.listen(ports.objectPort, address, resolve));
    const second = await (await launch(directory, settings(0))).exited;
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`${address}:${ports.objectPort}.*\\[E_PORT_TAKEN\\]`));
    const left = (await readdir(directory)).filter((name) => /^lock|sock$/.test(name));
    assert.deepEqual(left, []);
    await new Promise((resolve) => objects.close(resolve));
    const third = await start(directory, settings(0));
    assert.equal((await third.stop()).code, 0);
  });

  it('are strangers to a node of another group', async () => {
    const [one, other] = [scratch('n'), scratch('n')];
    await enrol([one]);
    await enrol([other]);
    const nodes = await Promise.all(
      [one, other].map((directory, i) => start(directory, settings(i))),
    );
    const content = contentOf('strangers', 100_000);
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=600' } });
    const words = ['get', origin.url('/a'), '--sha256', sha256Of(content)];
    for (const node of nodes) assert.equal((await node.run(...words)).code, 0);
    assert.equal(origin.count('/a'), 2);
    for (const node of nodes) assert.deepEqual(await node.json('peers'), []);
  });
});
