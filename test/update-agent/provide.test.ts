/** What a provider does for others, and what a node does whose own question fails. */
import { deepEqual, equal } from 'node:assert/strict';
import { useScratch } from '../fakes/scratch.js';
import { until } from '../lan/until.js';
import { FakeLan } from './fake-lan.js';
import { member, publish } from './rig.js';

const SOON_MS = 5_000;

describe('update agent: the provider', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  beforeEach(() => {
    lan = new FakeLan();
  });

  it('has for others what it holds back itself', async () => {
    const provider = await member(lan, 'provider', { directory: scratch() });
    const other = await member(lan, 'other', { directory: scratch(), role: 'listen' });
    provider.feed.offered = [publish(lan, '7')];
    await provider.agent.check('time');
    provider.rules = { pins: { list: '7' }, recalls: [] };
    provider.feed.offered = [publish(lan, '8')];
    await provider.agent.check('time');
    await until('8', SOON_MS, () => (other.shelf.state('list').version === '8' ? true : undefined));
    equal(provider.shelf.state('list').version, '7');
    equal(lan.asked.length, 2);
  });

  it('after a restart tells what it has kept', async () => {
    const directory = scratch();
    const first = await member(lan, 'provider', { directory });
    first.feed.offered = [publish(lan, '7')];
    await first.agent.check('time');
    const again = await member(lan, 'provider', { directory });
    again.feed.offered = first.feed.offered;
    const other = await member(lan, 'other', { directory: scratch(), role: 'listen' });
    await again.agent.check('start');
    await until('7', SOON_MS, () => (other.shelf.state('list').version === '7' ? true : undefined));
    equal(lan.asked.length, 1);
  });
});

describe('update agent: without a provider', () => {
  const scratch = useScratch();

  it('a node without Internet goes by what others tell', async () => {
    const lan = new FakeLan();
    const online = await member(lan, 'online', { directory: scratch() });
    const offline = await member(lan, 'offline', { directory: scratch(), hasInternet: false });
    offline.feed.pollFails = new Error('no way out');
    online.feed.offered = [publish(lan, '7')];
    await online.agent.check('time');
    const inForce = () => offline.shelf.state('list').version;
    await until('7', SOON_MS, () => (inForce() === '7' ? true : undefined));
    const report = await offline.agent.check('time');
    deepEqual([report.outcome, report.components[0]?.decision], ['unchanged', 'current']);
  });

  it('news of what is offered already asks the origin no second time', async () => {
    const lan = new FakeLan();
    const nodes = await Promise.all(
      ['a', 'b', 'c'].map((name) => member(lan, name, { directory: scratch() })),
    );
    const offered = [publish(lan, '7')];
    for (const { feed } of nodes) feed.offered = offered;
    await Promise.all(nodes.map(({ agent }) => agent.check('time')));
    await Promise.all(nodes.map(({ agent }) => agent.check('news', 'news')));
    deepEqual(
      nodes.map(({ feed }) => feed.polls),
      [1, 1, 1],
    );
  });
});
