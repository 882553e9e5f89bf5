/** Plugins on two real nodes: what one publishes and announces, the other finds, gets and hears. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PeerageClient } from '@peerage/client';
import { contentOf, sha256Of } from '../fakes/content.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { freePacketPort, freePort } from '../fakes/ports.js';
import { useScratch } from '../fakes/scratch.js';
import { pluginSource, SDK_DIRECTORY } from '../host/rig.js';
import { until } from '../lan/until.js';
import { type NodeProcess, peerage, useNodes } from './program.js';

const BODY = `
  async activate() {
    const { peeringservice: peering, commandservice: commands, plugincontext: context } = this;
    const heard = [];
    const read = async (body) => { let text = ''; for await (const chunk of body) text += Buffer.from(chunk); return text; };
    const handlers = {
      publish: async ([word]) => {
        const published = await peering.publish({ uri: 'share:' + word, body: Buffer.from(word), lifetimeMs: 60000 });
        await peering.announce('news', { word });
        return published;
      },
      find: async ([url]) => (await peering.find({ url })) ?? {},
      get: async ([url]) => {
        let last;
        const { source, body, sha256 } = await peering.open({ url, onProgress: (progress) => { last = progress; } });
        return { text: await read(body), source, sha256, received: last?.receivedBytes };
      },
      heard: async () => heard,
      upload: async ([url]) => {
        const { status } = await peering.upload({ url, method: 'PUT', body: Buffer.from('sent') });
        return { status };
      },
    };
    context.subscriptions.push(await peering.onAnnouncement((announcement) => heard.push(announcement)));
    for (const [name, handler] of Object.entries(handlers)) {
      context.subscriptions.push(
        await commands.onCommand(name, async (args) => ({ text: '', json: await handler(args) })),
      );
    }
  }`;
const COMMANDS = ['publish', 'find', 'get', 'heard', 'upload'];

/** A package with the plugin; returns its directory. */
async function writePlugin(directory: string): Promise<string> {
  await mkdir(join(directory, 'node_modules', '@peerage'), { recursive: true });
  await symlink(SDK_DIRECTORY, join(directory, 'node_modules', '@peerage', 'sdk'));
  const peerageSection = {
    api: 1,
    id: 'share',
    urls: [],
    publishes: ['share:*'],
    uploads: ['http://127.0.0.1:*/upload'],
    settings: { type: 'object' },
    commands: COMMANDS.map((name) => ({ name, description: `${name} it` })),
  };
  const about = { name: 'share', version: '1.0.0', type: 'module', main: 'plugin.js' };
  await writeFile(
    join(directory, 'package.json'),
    JSON.stringify({ ...about, peerage: peerageSection }),
  );
  const services = ['PeeringService', 'CommandService', 'PluginContext'];
  await writeFile(join(directory, 'plugin.js'), pluginSource(services, BODY));
  return directory;
}

describe('a plugin on two nodes', function () {
  this.timeout(180_000);
  const scratch = useScratch();
  const { start } = useNodes();
  let origin: LoopbackOrigin;
  beforeEach(async () => {
    origin = await LoopbackOrigin.start();
  });
  afterEach(() => origin.close());

  /** Two nodes of one group, each with the plugin. */
  async function startTwo(): Promise<[NodeProcess, NodeProcess]> {
    const [anna, bert] = [scratch('n'), scratch('n')];
    await mkdir(bert, { recursive: true });
    await peerage('ca', 'init', '--group', 'office', '--name', 'anna', '--state', anna);
    const file = join(anna, 'bert.pem');
    await peerage('ca', 'issue', 'bert', '--out', file, '--state', anna);
    await copyFile(file, join(bert, 'identity.pem'));
    const use = await writePlugin(scratch('plugin'));
    const ports = {
      packetPort: await freePacketPort('127.0.0.1'),
      objectPort: await freePort('127.0.0.1'),
    };
    const settings = (i: number) => ({
      core: { address: `127.0.0.${i + 21}`, originAllow: ['127.0.0.0/8'], ...ports },
      plugins: { share: { use } },
    });
    return Promise.all([start(anna, settings(0)), start(bert, settings(1))]);
  }

  it('shares under its own URIs, is heard, uploads, and refuses what nobody published', async () => {
    const [anna, bert] = await startTwo();
    const share = <T>(node: NodeProcess, ...words: string[]) => node.json<T>('share', ...words);
    for (;;) if ((await bert.json<unknown[]>('peers')).length > 0) break;
    const published = await share<{ sha256: string }>(anna, 'publish', 'hello');
    assert.equal(published.sha256, sha256Of(Buffer.from('hello')));
    // One question may be lost on a busy machine; nobody answering is no error.
    const found = await until('bert finds it', 30_000, async () => {
      const answer = await share<{ where?: string; node: string }>(bert, 'find', 'share:hello');
      return answer.where === undefined ? undefined : answer;
    });
    assert.deepEqual([found.where, found.node], ['peer', 'anna']);
    const got = await share<Record<string, unknown>>(bert, 'get', 'share:hello');
    assert.deepEqual(got, {
      text: 'hello',
      source: 'peer',
      sha256: published.sha256,
      received: 5,
    });
    const heard = await share<Array<{ from: string; values: object }>>(bert, 'heard');
    assert.deepEqual(
      heard.map(({ from, values }) => [from, values]),
      [['anna', { word: 'hello' }]],
    );
    const missing = await bert.run('share', 'get', 'share:none');
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /E_NOT_PUBLISHED/);
    origin.serve('/upload', { content: Buffer.from('taken'), headers: {} });
    const sent = await share<{ status: number }>(anna, 'upload', origin.url('/upload'));
    assert.equal(sent.status, 200);
    assert.match((await anna.run('share')).stdout.toString(), /peerage share publish +publish it/);
  });

  it('is beside programs that ask the same nodes through the client library', async () => {
    const [anna, bert] = await startTwo();
    for (;;) if ((await bert.json<unknown[]>('peers')).length > 0) break;
    const content = contentOf('client', 300_000);
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=600' } });
    const sources: string[] = [];
    for (const { directory: stateDirectory } of [anna, bert]) {
      const client = new PeerageClient({ stateDirectory });
      const { source, body } = await client.get(origin.url('/a'), { sha256: sha256Of(content) });
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      assert.ok(Buffer.concat(chunks).equals(content));
      sources.push(source);
    }
    assert.deepEqual(sources, ['origin', 'peer']);
    const client = new PeerageClient({ stateDirectory: bert.directory });
    assert.equal((await client.status())['name'], 'bert');
    await assert.rejects(client.get('ftp://x/'), { code: 'E_URL_INVALID' });
    await bert.stop();
    await assert.rejects(client.status(), { code: 'E_NOT_RUNNING' });
  });
});
