/** The LAN itself: what it carries, and how thin its lines are. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { succeeded } from './command.js';
import type { Host } from './host.js';
import { Lan } from './lan.js';
import { missingForOrigin, OriginService } from './origin-service.js';
import { skipIf } from './skip.js';
import { until } from './until.js';

const PROBE = fileURLToPath(new URL('./broadcast-probe.js', import.meta.url));
const DEADLINE_MS = 20_000;

/** Seconds that a transfer by curl takes. */
async function seconds(host: Host, url: string): Promise<number> {
  const options = ['-sS', '--fail', '-o', '/dev/null', '-w', '%{time_total}'];
  return Number(succeeded('curl', await host.run('curl', [...options, url])).stdout);
}

/** The rate is the one asked for, within 20 %; heads and acknowledgements take their part. */
function assertRate(bytes: number, tookSeconds: number, askedKbit: number): void {
  const kbit = (bytes * 8) / 1000 / tookSeconds;
  const near = kbit > askedKbit * 0.8 && kbit < askedKbit * 1.2;
  assert.ok(near, `${Math.round(kbit)} kbit/s instead of ${askedKbit}`);
}

describe('the hosts of a LAN', () => {
  let lan: Lan;
  let origin: OriginService;

  before(skipIf(missingForOrigin));
  before(async () => {
    lan = Lan.create({ hosts: 3, internetRateKbit: 10_000, offlineHosts: [3] });
    origin = await OriginService.start(lan.origin);
  });
  after(() => lan?.dispose());

  it('carries a broadcast to every other host', async () => {
    const listeners = [lan.host(2), lan.host(3)].map((host) =>
      host.spawn(process.execPath, [PROBE, 'listen', '1967']),
    );
    for (const listener of listeners) {
      await listener.line('it listens', DEADLINE_MS, (line) => line === 'listening' || undefined);
    }
    const send = [PROBE, 'send', '1967', '10.77.0.255', 'who has it?'];
    succeeded('the sender', await lan.host(1).run(process.execPath, send));
    for (const listener of listeners) {
      const heard = await listener.within(DEADLINE_MS);
      assert.equal(heard.stdout, 'listening\nwho has it?\n');
    }
  });

  it('leaves a host without Internet its neighbours only', async () => {
    const away = await lan.host(3).run('curl', ['-sS', '-m', '2', `${origin.url}/bytes/1/a`]);
    assert.notEqual(away.code, 0);
    const server = await OriginService.start(lan.host(2));
    const near = await lan.host(3).run('curl', ['-sS', '-m', '9', 'http://h2/bytes/1/a']);
    await server.stop();
    assert.equal(near.code, 0, near.stderr);
  });

  it('can have a cable pulled out and put in again', async () => {
    const ask = ['-sS', '--fail', '-m', '2', `${origin.url}/bytes/1/cable`];
    lan.host(2).linkDown();
    assert.notEqual((await lan.host(2).run('curl', ask)).code, 0);
    lan.host(2).linkUp();
    await until('the host is back', DEADLINE_MS, async () =>
      (await lan.host(2).run('curl', ask)).code === 0 ? true : undefined,
    );
  });
});

describe('the lines of a LAN', () => {
  let lan: Lan;
  let origin: OriginService;

  before(skipIf(missingForOrigin));
  before(async () => {
    lan = Lan.create({ hosts: 2, internetRateKbit: 10_000, linkRateKbit: 50_000 });
    origin = await OriginService.start(lan.origin);
  });
  after(() => lan?.dispose());

  it('are as thin to the Internet as asked, within 20 %', async () => {
    const took = await seconds(lan.host(1), `${origin.url}/bytes/2500000/thin`);
    assertRate(2_500_000, took, 10_000);
  });

  it('are no wider to the Internet for two hosts at once', async () => {
    const both = [lan.host(1), lan.host(2)];
    const urls = both.map(({ name }) => `${origin.url}/bytes/1250000/${name}`);
    // They need not get equal shares, so what counts is when the last one is done.
    const took = await Promise.all(both.map((host, index) => seconds(host, urls[index] ?? '')));
    assertRate(2_500_000, Math.max(...took), 10_000);
  });

  it('are as fast between hosts as asked, within 20 %', async () => {
    const server = await OriginService.start(lan.host(2));
    const took = await seconds(lan.host(1), `http://${lan.host(2).name}/bytes/10000000/link`);
    await server.stop();
    assertRate(10_000_000, took, 50_000);
  });
});
