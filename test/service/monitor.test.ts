/** What a monitor reads: metrics in Prometheus' format, health, and only those on the TCP port. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { judgeHealth } from '@peerage/core/service/health.js';
import { contentOf } from '../fakes/content.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { freePort } from '../fakes/ports.js';
import { useScratch } from '../fakes/scratch.js';
import { ROOT } from '../repository/source.js';
import { NodeProcess } from './program.js';

const LINE = /^(peerage_[a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[\d.e+-]+$/;

describe('the monitor', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  let node: NodeProcess;
  let origin: LoopbackOrigin;
  let base: string;
  before(async () => {
    origin = await LoopbackOrigin.start();
    const metricsPort = await freePort('127.0.0.1');
    base = `http://127.0.0.1:${metricsPort}`;
    const core = { originAllow: ['127.0.0.0/8'], metricsPort };
    node = await NodeProcess.start(scratch('n'), { core });
  });
  after(async () => {
    await node.stop();
    await origin.close();
  });

  it('gives figures that Prometheus can read, each explained once', async () => {
    origin.serve('/a', { content: contentOf('m', 1_000_000), headers: { etag: '"a"' } });
    await node.run('get', origin.url('/a'));
    const text = await (await fetch(`${base}/metrics`)).text();
    const lines = text.trimEnd().split('\n');
    const helped = lines.filter((line) => line.startsWith('# HELP'));
    assert.equal(new Set(helped).size, helped.length);
    for (const line of helped) assert.match(line, /^# HELP peerage_[a-z_]+ [A-Z0-9].+\.$/);
    for (const line of lines) if (!line.startsWith('#')) assert.match(line, LINE);
    assert.match(text, /^peerage_bytes_total\{source="origin"\} 1000000$/m);
    assert.match(text, /^peerage_origin_asked_total\{reason="alone"\} 1$|source="origin"\} 1$/m);
    assert.match(text, /^peerage_healthy 1$/m);
    assert.match(text, /^peerage_info\{node="[^"]+",group="solo",version="[^"]+"\} 1$/m);
  });

  it('has every metric that the example alerts use', async () => {
    const alerts = await readFile(join(ROOT, 'core', 'examples', 'prometheus-alerts.yml'), 'utf8');
    const source = await readFile(join(ROOT, 'core', 'service', 'metrics.ts'), 'utf8');
    const used = new Set([...alerts.matchAll(/peerage_([a-z_]+)/g)].map(([, name = '']) => name));
    assert.ok(used.size >= 8);
    for (const name of used) assert.ok(source.includes(`'${name}'`), name);
  });

  it('says that it is healthy, and shows nothing else on that port', async () => {
    const health = await fetch(`${base}/health`);
    assert.equal(health.status, 200);
    const { healthy, checks } = (await health.json()) as { healthy: boolean; checks: object[] };
    assert.deepEqual([healthy, checks.length], [true, 4]);
    for (const path of ['/', '/status', '/cache', '/get?url=http://a.example/']) {
      assert.equal((await fetch(base + path)).status, 404, path);
    }
    assert.equal((await fetch(`${base}/metrics`, { method: 'POST' })).status, 404);
    assert.equal(await statusOf(base, '//', '127.0.0.1'), 404);
    assert.equal(await statusOf(base, '/metrics', 'rebound.example'), 421);
  });

  it('refuses a port that is taken', async () => {
    const metricsPort = Number(new URL(base).port);
    const other = await NodeProcess.launch(scratch('n'), { core: { metricsPort } });
    const { code, stderr } = await other.exited;
    assert.equal(code, 1);
    assert.match(stderr, /choose another core\.metricsPort \[E_PORT_TAKEN\]/);
  });
});

describe('health', () => {
  const lan = {
    peers: [],
    roundTripMs: 1,
    counters: {},
    banned: [],
    clock: { senders: 0, offsetMs: 0, alarm: false },
    interfaces: ['eth0 10.0.0.1'],
  };
  const ends = '2030-01-01T00:00:00.000Z';
  const now = Date.parse('2029-12-01T00:00:00Z');
  const fine = { solo: false, certificateEnds: ends, lan, plugins: [], loopDelaySeconds: 0, now };
  const failing = (changes: Partial<typeof fine>) => {
    const { healthy, checks } = judgeHealth({ ...fine, ...changes });
    const names = checks.filter(({ ok }) => !ok).map(({ name }) => name);
    assert.equal(healthy, names.length === 0);
    return names;
  };

  it('is lost by a certificate that ended, no interface, and a loop that is late', () => {
    assert.deepEqual(failing({}), []);
    assert.deepEqual(failing({ now: Date.parse(ends) }), ['certificate']);
    assert.deepEqual(failing({ lan: { ...lan, interfaces: [] } }), ['interface']);
    assert.deepEqual(failing({ lan: { ...lan, interfaces: [] }, solo: true }), []);
    assert.deepEqual(failing({ loopDelaySeconds: 5 }), ['event-loop']);
  });
});

/** The status for a path as it stands, under a name as it stands. */
function statusOf(base: string, path: string, host: string): Promise<number | undefined> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    get({ hostname, port, path, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).once('error', reject);
  });
}
