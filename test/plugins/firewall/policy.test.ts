/** What a list must be like to be taken, and what no list may block. */
import assert from 'node:assert/strict';
import { compile } from '@peerage/firewall/compile.js';
import { guardsFrom, type NetworkFacts } from '@peerage/firewall/guards.js';
import { parseList } from '@peerage/firewall/lists/parse.js';
import { merged } from '@peerage/firewall/merge.js';
import { judgeList, type Standing } from '@peerage/firewall/policy.js';
import { formatPrefix } from '@peerage/firewall/prefix.js';
import { errorCode } from '@peerage/sdk';
import { NO_FACTS, POLICY } from './settings.js';

const lines = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => {
    const number = from + at;
    return `198.18.${number >> 8}.${number & 255}\n`;
  }).join('');
const parsed = (text: string) =>
  parseList('own', new TextEncoder().encode(text), { format: 'list' });
const guards = (facts: Partial<NetworkFacts> = {}) => guardsFrom({ ...NO_FACTS, ...facts });

function judge(text: string, standing?: Standing): void {
  judgeList('own', parsed(text), POLICY, merged(guards()), standing);
}

function refused(text: string, why: RegExp, standing?: Standing): void {
  assert.throws(
    () => judge(text, standing),
    (error: Error) => {
      assert.equal(errorCode(error), 'E_LIST_POLICY');
      assert.match(error.message, why);
      return true;
    },
  );
}

describe('firewall: the policy', () => {
  it('refuses the whole Internet, and whatever is wider than allowed, by its line', () => {
    refused('192.0.2.1\n0.0.0.0/0\n', /own: line 2: 0.0.0.0\/0 is wider than allowed/);
    refused('64.0.0.0/7\n', /line 1: 64.0.0.0\/7 is wider/);
    refused('::/0\n', /line 1: ::\/0 is wider/);
    refused('2000::/18\n', /line 1: 2000::\/18 is wider/);
    judge('64.0.0.0/8\n2000::/19\n');
  });

  it('lets a list of bogons name reserved space as wide as it is', () => {
    judge('0.0.0.0/8\n224.0.0.0/3\nfe80::/10\n198.51.100.0/24\n');
  });

  it('refuses too few and too many entries', () => {
    refused('# nothing\n', /own: it has 0 entries/);
    refused(lines(1001), /own: it has 1001 entries/);
  });

  it('refuses a list that lost or gained too much at once', () => {
    const standing = { entries: parsed(lines(200)).entries };
    judge(lines(101), standing);
    refused(lines(99), /it takes away 101 of 200 entries/, standing);
    judge(lines(800), standing);
    refused(lines(801), /it adds 601 to 200 entries/, standing);
  });

  it('lets small lists change as they will', () => {
    judge(lines(50, 500), { entries: parsed(lines(3)).entries });
  });

  it('refuses a list that is older than the one in force', () => {
    const standing = { entries: [], madeAtSeconds: 2_000_000_000 };
    const list = { ...parsed(lines(1)), madeAtSeconds: 1_999_999_999 };
    assert.throws(() => judgeList('own', list, POLICY, [], standing), /it is older/);
  });
});

describe('firewall: the guards', () => {
  const text = (facts: Partial<NetworkFacts>, why: string) =>
    guards(facts)
      .filter((guard) => guard.why === why)
      .map(formatPrefix);
  const file = (path: string, content: string) => ({ files: new Map([[path, content]]) });

  it('are the own subnets, but not the whole Internet of a tunnel', () => {
    const subnets = ['10.77.0.11/24', '203.0.113.9/32', '198.51.100.5/0', '2001:db8::5/64'];
    assert.deepEqual(text({ subnets }, 'own subnet'), [
      ...['10.77.0.0/24', '203.0.113.9', '198.51.100.5', '2001:db8::/64'],
    ]);
  });

  it('are the gateways of both families', () => {
    const route4 =
      'Iface\tDestination\tGateway\tFlags\neth0\t00000000\t017110CB\t0003\t0\neth0\t0000000A\t00000000\t0001\n';
    assert.deepEqual(text(file('/proc/net/route', route4), 'gateway'), ['203.16.113.1']);
    const zero = '0'.repeat(32);
    const hop = '20010db8000000000000000000000001';
    const route6 = `${zero} 00 ${zero} 00 ${hop} 00000400 1 0 3 eth0\n${zero} 00 ${zero} 00 ${zero} 0 1 0 3 lo\n`;
    assert.deepEqual(text(file('/proc/net/ipv6_route', route6), 'gateway'), ['2001:db8::1']);
  });

  it('are the name servers', () => {
    const resolv =
      'search a\nnameserver 203.0.113.53\nnameserver 2001:db8::53%eth0\nnameserver x\n';
    const found = text(file('/etc/resolv.conf', resolv), 'name server');
    assert.deepEqual(found, ['203.0.113.53', '2001:db8::53']);
  });

  it('are the SSH clients that are connected, of both families', () => {
    const row = (local: string, remote: string, state: string) =>
      `   0: ${local} ${remote} ${state} 00000000:00000000\n`;
    const tcp =
      'head\n' +
      row('0B004D0A:0016', '077100CB:D431', '01') +
      row('0B004D0A:0016', '087100CB:D431', '06') +
      row('0B004D0A:0050', '097100CB:D431', '01');
    assert.deepEqual(text(file('/proc/net/tcp', tcp), 'SSH client'), ['203.0.113.7']);
    const mapped = '0000000000000000FFFF00000A7100CB';
    const own = 'B80D0120000000000000000001000000';
    const tcp6 = row(`${own}:0016`, `${mapped}:D431`, '01') + row(`${own}:0016`, `${own}:1`, '01');
    const found = text(file('/proc/net/tcp6', tcp6), 'SSH client');
    assert.deepEqual(found, ['203.0.113.10', '2001:db8::1']);
  });

  it('are the peers, and what the admin allows', () => {
    assert.deepEqual(text({ peers: ['203.0.113.20'] }, 'peer'), ['203.0.113.20']);
    const allowed = ['203.0.113.0/29', '198.51.100.1-198.51.100.2'];
    assert.deepEqual(text({ allowed }, 'allowed by the admin'), [
      ...['203.0.113.0/29', '198.51.100.1', '198.51.100.2'],
    ]);
  });
});

describe('firewall: the set that is enforced', () => {
  const sources = (text: string) => [{ source: 'own', entries: parsed(text).entries }];

  it('never has the LAN in it, and names the entries that would have', () => {
    const list = '198.51.100.7\n10.77.0.0/24\n10.0.0.0/8\n10.77.0.12\n';
    const blocks = compile(sources(list), guards({ subnets: ['10.77.0.11/24'] }));
    assert.deepEqual(blocks.prefixes.map(formatPrefix), ['198.51.100.7']);
    assert.equal(blocks.keptOutCount, 3);
    assert.deepEqual(blocks.keptOut[0], {
      ...{ source: 'own', line: 2, entry: '10.77.0.0/24' },
      ...{ guard: 'own subnet 10.77.0.0/24', extent: 'whole' },
    });
  });

  it('blocks the rest of a prefix around what is guarded', () => {
    const blocks = compile(sources('203.0.113.0/30\n'), guards({ allowed: ['203.0.113.1'] }));
    assert.deepEqual(blocks.prefixes.map(formatPrefix), ['203.0.113.0', '203.0.113.2/31']);
    assert.deepEqual(
      blocks.keptOut.map(({ extent, guard }) => `${extent} ${guard}`),
      ['part allowed by the admin 203.0.113.1'],
    );
  });

  it('has the same version wherever and in whatever order it is made', () => {
    const one = compile(sources('192.0.2.1\n192.0.2.0/28\n198.51.100.1\n'), guards());
    const other = compile(sources('198.51.100.1\n192.0.2.0/28\n'), guards());
    assert.equal(one.version, other.version);
    assert.match(one.version, /^[0-9a-f]{16}$/);
    assert.notEqual(compile(sources('198.51.100.1\n'), guards()).version, one.version);
  });

  it('counts what it does not name', () => {
    const blocks = compile(sources('10.0.0.1\n'.repeat(150)), guards());
    assert.deepEqual([blocks.keptOut.length, blocks.keptOutCount], [100, 150]);
  });
});
