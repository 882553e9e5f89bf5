/** What a machine says of its place: probes, bands, and what the system's files show. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  bandOf,
  Placement,
  type PlacementOptions,
  type Reached,
} from '@peerage/core/peering/placement.js';
import { LEVELS } from '@peerage/core/protocol/election-criteria.js';
import { useScratch } from '../fakes/scratch.js';

function placement(more: Partial<PlacementOptions> = {}, bytesPerSecond = 0): Placement {
  const options = {
    weight: 0,
    internet: true,
    probeUrls: ['http://a.test/', 'http://b.test/'],
    reach: async (): Promise<Reached> => 'silent',
    interfaces: () => ['eth0'],
    nowMs: () => 0,
    ...more,
  };
  return new Placement(options, bytesPerSecond);
}

describe('the placement of a machine (§8.3)', () => {
  const scratch = useScratch();

  it('has Internet access when one of the probes answers', async () => {
    const reach = async (url: string) => (url.includes('b.test') ? 'answered' : 'silent');
    const some = placement({ reach });
    await some.probe();
    assert.equal(some.levels()['internet'], 1);
    const none = placement();
    await none.probe();
    assert.equal(none.levels()['internet'], 0);
  });

  it('counts on its way out until the probes and several origins stay silent', async () => {
    const walled = placement();
    assert.ok(walled.reaches, 'nothing is known yet');
    await walled.probe();
    assert.ok(walled.reaches, 'a wall may let origins pass');
    for (let times = 0; times < 3; times += 1) walled.originAsked('a.test', false);
    assert.ok(walled.reaches, 'one may be down');
    walled.originAsked('b.test', false);
    assert.ok(!walled.reaches);
    walled.originAsked('a.test', true);
    assert.ok(walled.reaches);
    const open = placement({ reach: async () => 'answered' });
    for (const host of ['a.test', 'b.test']) open.originAsked(host, false);
    await open.probe();
    assert.ok(open.reaches, 'the probes are through');
  });

  it('tries its own way again after a while', async () => {
    let now = 0;
    const walled = placement({ nowMs: () => now });
    await walled.probe();
    for (const host of ['a.test', 'b.test']) walled.originAsked(host, false);
    assert.ok(!walled.reaches);
    now += 60_000;
    assert.ok(walled.reaches);
  });

  it('has no way out where not even a packet can be sent, unless an origin answers', async () => {
    let now = 0;
    const beyond = placement({ reach: async () => 'no-way', nowMs: () => now });
    await beyond.probe();
    assert.ok(!beyond.reaches);
    beyond.originAsked('intranet.test', true);
    assert.ok(beyond.reaches);
    now += 60_000;
    assert.ok(!beyond.reaches);
  });

  it('has none where the setting says so, and then asks nobody', async () => {
    const reach = async () => assert.fail('asked');
    const told = placement({ internet: false, reach });
    await told.probe();
    assert.equal(told.levels()['internet'], 0);
  });

  it('goes by the setting alone where there is nothing to ask', async () => {
    const told = placement({ probeUrls: [] });
    await told.probe();
    assert.equal(told.levels()['internet'], 1);
  });

  it('puts the bandwidth into coarse bands, and lets it fall slowly', () => {
    const line = placement();
    assert.equal(line.levels()['bandwidth'], 0);
    line.downloaded(2_500_000);
    assert.equal(line.levels()['bandwidth'], 3);
    line.downloaded(1000);
    assert.equal(line.levels()['bandwidth'], 3);
    for (let i = 0; i < 40; i += 1) line.downloaded(200_000);
    assert.equal(line.levels()['bandwidth'], 1);
    assert.equal(bandOf(16, [1, 4, 16, 64]), 3);
  });

  it('tells radio from cable and battery from mains by the files of the system', () => {
    const systemDirectory = scratch();
    const write = (path: string, text: string) => {
      const file = join(systemDirectory, 'class', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    };
    write('net/wlan0/wireless/status', '');
    write('net/eth0/type', '1');
    write('power_supply/BAT0/type', 'Battery\n');
    const on = (cards: string[]) =>
      placement({ systemDirectory, interfaces: () => cards }).levels();
    assert.deepEqual([on(['wlan0'])['wired'], on(['wlan0', 'eth0'])['wired']], [0, 1]);
    assert.equal(on(['eth0'])['mains'], 0);
    write('power_supply/AC/type', 'Mains\n');
    write('power_supply/AC/online', '1\n');
    assert.equal(on(['eth0'])['mains'], 1);
  });

  it('keeps every level within its bounds', () => {
    const levels = placement({ weight: 100 }, 1e12).levels();
    for (const [name, { least, most }] of Object.entries(LEVELS)) {
      const value = levels[name] ?? Number.NaN;
      assert.ok(value >= least && value <= most, `${name} ${value}`);
    }
  });
});
