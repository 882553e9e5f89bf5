/** Sources on several nodes: who asks the origin, what each takes, what stays when it is bad. */
import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { stampAfter } from '@peerage/firewall/list-feed.js';
import { reasonOf } from '@peerage/firewall/sources.js';
import { useScratch } from '../../fakes/scratch.js';
import { digestOf, FakeLan } from '../../update-agent/fake-lan.js';
import { FirewallNode, type NodeOptions, source, URL } from './node.js';

describe('firewall: a source on the nodes of a LAN', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  beforeEach(() => {
    lan = new FakeLan();
  });

  const publish = (body: string, type?: string) =>
    lan.origin.set(URL, type === undefined ? { body } : { body, type });
  const node = (name: string, more: Partial<NodeOptions> = {}) =>
    new FirewallNode(lan, name, { directory: scratch(), ...more }).start();
  const listener = (name: string, hasInternet = true) =>
    node(name, { role: 'listen', hasInternet });
  const later = (...nodes: FirewallNode[]) => {
    for (const one of nodes) one.nowMs += 60_000;
  };

  it('is asked for once, and in force on every node, also without Internet', async () => {
    publish('192.0.2.1\n');
    const provider = await node('n1');
    const others = [await listener('n2'), await listener('n3', false)];
    assert.equal(await provider.check(), 'updated');
    for (const other of others) {
      await other.check();
      assert.deepEqual(other.target.blocked, ['192.0.2.1']);
      assert.equal(other.enforcer.inForce?.version, provider.enforcer.inForce?.version);
    }
    assert.deepEqual(lan.asked, [URL]);
  });

  it('is not asked again before its interval is over, whoever asked and whatever restarted', async () => {
    publish('192.0.2.1\n');
    const settings = source({ format: 'csv', column: '1' });
    const first = await node('n1', { settings });
    await first.check();
    first.nowMs += 200_000;
    assert.equal(await first.check(), 'unchanged');
    const { storage } = first;
    const again = new FirewallNode(lan, 'n1', { directory: scratch(), settings, storage });
    again.nowMs = first.nowMs;
    await again.start();
    await again.check();
    assert.deepEqual(lan.asked, [URL]);
    again.nowMs += 200_000;
    assert.equal(await again.check(), 'updated');
    assert.deepEqual(lan.asked, [URL, URL]);
  });

  it('is not asked at all unless the settings accept that nobody signs it', async () => {
    const { unauthenticated: _, ...signed } = source();
    const one = await node('n1', { settings: signed });
    assert.match(await one.check(), /^E_SOURCE_UNAUTHENTICATED: nobody signs the source own/);
    assert.deepEqual(lan.asked, []);
  });

  it('keeps its version while its bytes are the same, and only goes forward', async () => {
    publish('192.0.2.1\n');
    const provider = await node('n1');
    await provider.check();
    const { version } = provider.source.shelf.state('own');
    later(provider);
    assert.equal(await provider.check(), 'unchanged');
    publish('192.0.2.2\n');
    later(provider);
    assert.equal(await provider.check(), 'updated');
    publish('192.0.2.1\n');
    later(provider);
    assert.equal(await provider.check(), 'updated');
    assert.deepEqual(provider.target.blocked, ['192.0.2.1']);
    assert.notEqual(provider.source.shelf.state('own').version, version);
  });

  const bad: ReadonlyArray<readonly [string, string, RegExp, string?]> = [
    ['a name', '192.0.2.1\nlocalhost\n', /^E_LIST_INVALID: own, line 2: "localhost" is a name/],
    ['the whole Internet', '192.0.2.1\n0.0.0.0/0\n', /^E_LIST_POLICY: own: line 2: 0\.0\.0\.0\/0/],
    ['half a file', '192.0.2.1\n192.0', /^E_LIST_INVALID: own, line 2: .* cut off/],
    ['a login page', '<html>log in</html>\n', /^E_LIST_INVALID: own, line 1: a web page/],
    ['nothing', '', /^E_LIST_POLICY: own: it has 0 entries/],
    ['far too much', '192.0.2.1\n'.repeat(1001), /^E_LIST_POLICY: own: it has 1001 entries/],
  ];
  for (const [what, body, why] of bad) {
    it(`serves ${what}: last good stays, and the reason is told`, async () => {
      publish('203.0.113.1\n203.0.113.2\n');
      const provider = await node('n1');
      const other = await listener('n2');
      await provider.check();
      await other.check();
      publish(body);
      later(provider, other);
      assert.match(await provider.check(), why);
      await other.check();
      for (const one of [provider, other]) {
        assert.deepEqual(one.target.blocked, ['203.0.113.1', '203.0.113.2']);
      }
      publish('203.0.113.3\n203.0.113.2\n');
      later(provider, other);
      assert.equal(await provider.check(), 'updated');
      assert.deepEqual(provider.target.blocked, ['203.0.113.2', '203.0.113.3']);
    });
  }

  it('is of no time to come: such a version would bar all later ones', async () => {
    publish('203.0.113.1\n');
    const provider = await node('n1');
    const other = await listener('n2');
    await provider.check();
    await other.check();
    const digest = digestOf('203.0.113.1\n');
    const ahead = stampAfter(undefined, other.nowMs + 7 * 86_400_000);
    for (const release of [`${ahead}-${digest.slice(0, 12)}`, `9${ahead}-${digest.slice(0, 12)}`]) {
      const told = { component: 'own', release, digest, size: '12', asked: '0' };
      await provider.node.announce('news', { feed: 'own', ...told });
      await other.check();
    }
    publish('203.0.113.2\n');
    later(provider, other);
    assert.equal(await provider.check(), 'updated');
    await other.check();
    assert.deepEqual(other.target.blocked, ['203.0.113.2']);
  });

  it('that nobody signs is believed of the provider alone', async () => {
    publish('203.0.113.1\n');
    const provider = await node('n1');
    const other = await node('n2', { role: 'listen', provider: 'n1' });
    const member = lan.node('n3', false);
    await provider.check();
    await other.check();
    const made = '203.0.113.1\n198.51.100.7\n';
    const digest = digestOf(made);
    lan.shared.set(`firewall:own/${digest}`, Buffer.from(made));
    const release = `${stampAfter(undefined, other.nowMs + 60_000)}-${digest.slice(0, 12)}`;
    const news = { feed: 'own', component: 'own', release, digest, size: '25', asked: '0' };
    await member.announce('news', news);
    await other.check();
    assert.deepEqual(other.target.blocked, ['203.0.113.1']);
    await provider.node.announce('news', news);
    await other.check();
    assert.deepEqual(other.target.blocked, ['198.51.100.7', '203.0.113.1']);
  });

  it('is judged by every node itself: a provider that lies changes nothing', async () => {
    publish('203.0.113.1\n');
    const provider = await node('n1');
    const other = await listener('n2');
    await provider.check();
    await other.check();
    const lie = '0.0.0.0/1\n';
    const digest = digestOf(lie);
    lan.shared.set(`firewall:own/${digest}`, Buffer.from(lie));
    const stamp = stampAfter(undefined, other.nowMs + 60_000);
    const told = { component: 'own', release: `${stamp}-000000000000` };
    const details = { digest, size: String(lie.length), asked: '0' };
    await provider.node.announce('news', { feed: 'own', ...told, ...details });
    await other.check();
    const reasons = other.source.agent.reports.map(reasonOf).join();
    assert.match(reasons, /E_LIST_POLICY: own: line 1: 0\.0\.0\.0\/1 is wider/);
    assert.deepEqual(other.target.blocked, ['203.0.113.1']);
  });

  it('that names the LAN itself takes effect without it, and the entries are named', async () => {
    publish('203.0.113.1\n10.77.0.0/24\n10.77.0.12\n');
    const one = await node('n1');
    assert.equal(await one.check(), 'updated');
    assert.deepEqual(one.target.blocked, ['203.0.113.1']);
    const named = one.enforcer.inForce?.keptOut.map(({ line, entry, guard }) => [
      line,
      entry,
      guard,
    ]);
    assert.deepEqual(named, [
      [2, '10.77.0.0/24', 'own subnet 10.77.0.0/24'],
      [3, '10.77.0.12', 'own subnet 10.77.0.0/24'],
    ]);
  });

  it('is in force after a restart before anything is asked, and the one before if it is damaged', async () => {
    publish('203.0.113.1\n');
    const directory = scratch();
    const one = await node('n1', { directory });
    await one.check();
    publish('203.0.113.2\n');
    later(one);
    await one.check();
    lan.origin.clear();
    const asked = lan.asked.length;
    const again = await node('n1', { directory });
    assert.deepEqual(again.target.blocked, ['203.0.113.2']);
    assert.equal(lan.asked.length, asked);
    const { version = '' } = again.source.shelf.state('own');
    await truncate(again.source.shelf.path('own', version, 'list'), 5);
    const damaged = await node('n1', { directory });
    assert.deepEqual(damaged.target.blocked, ['203.0.113.1']);
    assert.equal(damaged.log.events.includes('last-good-damaged'), true);
  });

  it('is tried again at the next check when it could not be put in force', async () => {
    publish('203.0.113.1\n');
    const one = await node('n1');
    await one.check();
    publish('203.0.113.2\n');
    later(one);
    one.target.fails = new Error('the kernel is busy');
    assert.match(await one.check(), /the kernel is busy/);
    assert.deepEqual(one.target.blocked, ['203.0.113.1']);
    later(one);
    assert.equal(await one.check(), 'updated');
    assert.deepEqual(one.target.blocked, ['203.0.113.2']);
  });

  it('is learnt from the news by a node that must ask for itself but has no Internet', async () => {
    publish('203.0.113.1\n');
    const alone = await node('n2', { hasInternet: false });
    assert.match(await alone.check(), /^E_NO_INTERNET/);
    const provider = await node('n1');
    await provider.check();
    later(alone);
    await alone.check();
    assert.deepEqual(alone.target.blocked, ['203.0.113.1']);
  });
});
