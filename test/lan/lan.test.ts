/** The LAN itself: what it carries, how thin its lines are, and that nothing of it stays behind. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, succeeded } from './command.js';
import { contentSha256 } from './content.js';
import type { Host } from './host.js';
import { Lan } from './lan.js';
import { missingForLan, namespacesNamed } from './namespaces.js';
import { OriginService } from './origin-service.js';
import { skipIf } from './skip.js';
import { until } from './until.js';

const PROBE = fileURLToPath(new URL('./broadcast-probe.js', import.meta.url));
const HOLDER = fileURLToPath(new URL('./lan-holder.js', import.meta.url));
const DEADLINE_MS = 20_000;

/** Payload rate of a transfer by curl, in kbit/s. */
async function rateKbit(host: Host, args: readonly string[]): Promise<number> {
  const options = ['-sS', '--fail', '-o', '/dev/null', '-w', '%{time_total} %{size_download}'];
  const { stdout } = succeeded('curl', await host.run('curl', [...options, ...args]));
  const [seconds = 0, bytes = 0] = stdout.split(' ').map(Number);
  return (bytes * 8) / 1000 / seconds;
}

function leftovers(name: string): string[] {
  const files = [tmpdir(), '/etc/netns'].filter(existsSync).flatMap((path) => readdirSync(path));
  return [...namespacesNamed(name), ...files.filter((file) => file.startsWith(name))];
}

describe('a LAN in namespaces', () => {
  let lan: Lan;
  let origin: OriginService;

  before(skipIf(missingForLan));
  before(async () => {
    lan = Lan.create({
      hosts: 3,
      internetRateKbit: 10_000,
      linkRateKbit: 50_000,
      offlineHosts: [3],
    });
    origin = await OriginService.start(lan.origin, { tls: true });
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

  it('has a line to the Internet as thin as asked, within 20 %', async () => {
    const rate = await rateKbit(lan.host(1), [`${origin.url}/bytes/2500000/thin`]);
    assert.ok(rate > 8_000 && rate < 12_000, `${Math.round(rate)} kbit/s instead of 10,000`);
  });

  it('shares that line among its hosts', async () => {
    const hosts = [lan.host(1), lan.host(2)];
    const urls = hosts.map((host) => [`${origin.url}/bytes/1250000/${host.name}`]);
    const rates = await Promise.all(hosts.map((host, index) => rateKbit(host, urls[index] ?? [])));
    const sum = rates.reduce((total, rate) => total + rate, 0);
    assert.ok(sum < 14_000, `${Math.round(sum)} kbit/s together over a line of 10,000`);
  });

  it('has links between hosts as fast as asked, within 20 %', async () => {
    const server = await OriginService.start(lan.host(2));
    const url = `http://${lan.host(2).name}/bytes/10000000/link`;
    const rate = await rateKbit(lan.host(1), [url]);
    await server.stop();
    assert.ok(rate > 40_000 && rate < 60_000, `${Math.round(rate)} kbit/s instead of 50,000`);
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

  it('serves made content over TLS with the bytes that its seed stands for', async () => {
    const fetched = `${lan.host(1).directory}/fetched`;
    const options = ['-sS', '--fail', '--cacert', origin.certificateFile];
    const url = `${origin.tlsUrl}/bytes/300001/seed`;
    succeeded('curl', await lan.host(1).run('curl', [...options, '-o', fetched, url]));
    const resumed = ['-r', '100003-', '-o', `${fetched}.tail`];
    succeeded('curl', await lan.host(1).run('curl', [...options, ...resumed, url]));
    const rest = `head -c 100003 ${fetched} | cat - ${fetched}.tail | sha256sum; sha256sum ${fetched}`;
    const { stdout } = await lan.host(1).run('sh', ['-c', rest]);
    const sums = stdout.split('\n').map((line) => line.split(' ')[0]);
    const expected = contentSha256('seed', 300_001);
    assert.deepEqual(sums.slice(0, 2), [expected, expected]);
  });

  it('counts bodies, bytes and answers without a body for each URL', async () => {
    await origin.reset();
    const url = `${origin.url}/bytes/5000/counted`;
    const ask = ['-sS', '-o', '/dev/null'];
    await lan.host(1).run('curl', [...ask, url]);
    await lan.host(1).run('curl', [...ask, '-r', '0-9', url]);
    await lan.host(1).run('curl', [...ask, '-H', 'If-None-Match: "counted-5000"', url]);
    await lan.host(1).run('curl', [...ask, '-r', '0-9', `${url}?range=0`]);
    await lan.host(1).run('curl', [...ask, '--data', 'hello', `${origin.url}/report`]);
    await lan.host(1).run('curl', [...ask, `${origin.url}/../../etc/passwd`]);
    const { urls, total } = await origin.counts();
    const counted = urls['/bytes/5000/counted'];
    assert.deepEqual(
      [counted?.gets, counted?.bodies, counted?.partials, counted?.notModified],
      [3, 2, 1, 1],
    );
    assert.equal(counted?.bodyBytes, 5010);
    assert.equal(urls['/bytes/5000/counted?range=0']?.bodyBytes, 5000);
    assert.equal(urls['/report']?.uploadedBytes, 5);
    assert.equal(total.failures, 1);
  });

  it('tells its counts to nobody on the LAN', async () => {
    const asked = await lan.host(1).run('curl', ['-sS', '--fail', `${origin.url}/__counts`]);
    assert.equal(asked.code, 22);
  });
});

describe('the end of a LAN', () => {
  before(skipIf(missingForLan));

  it('leaves no namespace, file or process behind', async () => {
    const lan = Lan.create({ hosts: 2, internetRateKbit: 10_000 });
    const sleeper = lan.host(1).spawn('sh', ['-c', 'setsid sleep 600 & sleep 600']);
    assert.ok(namespacesNamed(lan.name).length > 0);
    lan.dispose();
    await sleeper.within(DEADLINE_MS);
    assert.deepEqual(leftovers(lan.name), []);
  });

  it('comes after a failure half-way through its making', () => {
    const standing = leftovers(`plab-${process.pid}-`);
    assert.throws(
      () => Lan.create({ hosts: 2, internetRateKbit: 10_000, linkRateKbit: Number.NaN }),
      (error: unknown) =>
        error instanceof Error && 'code' in error && error.code === 'E_LAB_COMMAND',
    );
    assert.deepEqual(leftovers(`plab-${process.pid}-`), standing);
  });

  for (const ending of ['throw', 'SIGTERM', 'SIGINT'] as const) {
    it(`comes when its program ends by ${ending}`, async () => {
      const { holder, name } = await hold(ending === 'throw' ? 'throw' : 'wait');
      if (ending !== 'throw') holder.signal(ending);
      await holder.within(DEADLINE_MS);
      assert.deepEqual(leftovers(name), []);
    });
  }

  it('is made up for by the next LAN when its program was killed', async () => {
    const { holder, name, pid } = await hold('wait');
    holder.signal('SIGKILL');
    await holder.finished;
    assert.ok(leftovers(name).length > 0);
    Lan.create({ hosts: 1, internetRateKbit: 10_000 }).dispose();
    assert.deepEqual(leftovers(name), []);
    await until('the killed program no longer runs', DEADLINE_MS, () =>
      existsSync(`/proc/${pid}/ns/net`) ? undefined : true,
    );
  });
});

/** Starts a program that holds a LAN of its own. */
async function hold(ending: string): Promise<{ holder: Command; name: string; pid: number }> {
  const holder = new Command(process.execPath, [HOLDER, ending], {});
  const found = await holder.line('its LAN stands', DEADLINE_MS, (line) =>
    line.startsWith('{') ? (JSON.parse(line) as { name: string; pid: number }) : undefined,
  );
  return { holder, ...found };
}
