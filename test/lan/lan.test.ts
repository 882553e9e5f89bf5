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

/** Payload rate of a transfer by curl, in kbit/s. */
async function rateKbit(host: Host, args: readonly string[]): Promise<number> {
  const options = ['-sS', '--fail', '-o', '/dev/null', '-w', '%{time_total} %{size_download}'];
  const { stdout } = succeeded('curl', await host.run('curl', [...options, ...args]));
  const [seconds = 0, bytes = 0] = stdout.split(' ').map(Number);
  return (bytes * 8) / 1000 / seconds;
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
    const rate = await rateKbit(lan.host(1), [`${origin.url}/bytes/2500000/thin`]);
    assert.ok(rate > 8_000 && rate < 12_000, `${Math.round(rate)} kbit/s instead of 10,000`);
  });

  it('are shared by the hosts', async () => {
    const hosts = [lan.host(1), lan.host(2)];
    const urls = hosts.map((host) => [`${origin.url}/bytes/1250000/${host.name}`]);
    const rates = await Promise.all(hosts.map((host, index) => rateKbit(host, urls[index] ?? [])));
    const sum = rates.reduce((total, rate) => total + rate, 0);
    assert.ok(sum < 14_000, `${Math.round(sum)} kbit/s together over a line of 10,000`);
  });

  it('are as fast between hosts as asked, within 20 %', async () => {
    const server = await OriginService.start(lan.host(2));
    const url = `http://${lan.host(2).name}/bytes/10000000/link`;
    const rate = await rateKbit(lan.host(1), [url]);
    await server.stop();
    assert.ok(rate > 40_000 && rate < 60_000, `${Math.round(rate)} kbit/s instead of 50,000`);
  });
});
