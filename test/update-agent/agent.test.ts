/** The check of a feed: from what is offered to what is in force, on one node and on several. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { CodedError } from '@peerage/sdk';
import { Shelf } from '@peerage/update-agent';
import { useScratch } from '../fakes/scratch.js';
import { until } from '../lan/until.js';
import { cutDisk } from './cut-disk.js';
import { FakeLan } from './fake-lan.js';
import { contentOf, type Member, member, publish, release } from './rig.js';

const SOON_MS = 5_000;

function inForce({ shelf }: Member): string | undefined {
  return shelf.state('list').version;
}

describe('update agent: a check', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  beforeEach(() => {
    lan = new FakeLan();
  });

  const lone = async () => member(lan, 'alone', { directory: scratch() });

  async function checked(one: Member, version: string, text?: string) {
    one.feed.offered = [publish(lan, version, text)];
    return one.agent.check('test');
  }

  it('brings a version in force and says where its file came from', async () => {
    const one = await lone();
    const report = await checked(one, '7');
    equal(report.outcome, 'updated');
    const [component] = report.components;
    deepEqual([component?.before, component?.version], [undefined, '7']);
    deepEqual(
      component?.files.map(({ name, source }) => [name, source]),
      [['file', 'origin']],
    );
    deepEqual(one.feed.log, ['nothing -> 7']);
  });

  it('asks for nothing when nothing is new', async () => {
    const one = await lone();
    await checked(one, '7');
    const before = one.node.requests.length;
    equal((await checked(one, '7')).outcome, 'unchanged');
    equal(one.node.requests.length, before);
  });

  it('keeps the version before, and goes back to it when the new one is recalled', async () => {
    const one = await lone();
    await checked(one, '7');
    await checked(one, '8');
    one.rules = { pins: {}, recalls: [{ component: 'list', version: '8', backTo: '7' }] };
    const report = await one.agent.check('recall');
    equal(report.components[0]?.decision, 'recalled');
    equal(inForce(one), '7');
    deepEqual(one.feed.log.slice(-1), ['8 -> 7']);
    await checked(one, '9');
    equal(inForce(one), '9');
  });

  const attacks: Array<[what: string, spoil: (url: string) => void, code: string]> = [
    ['tampered', (url) => lan.origin.set(url, { body: 'evil' }), 'E_FEED_TEST'],
    ['of an older version', (url) => lan.origin.set(url, { body: contentOf('7') }), 'E_FEED_TEST'],
    ['endless', (url) => lan.origin.set(url, { body: 'x', isEndless: true }), 'E_UPDATE_SIZE'],
    [
      'a portal page',
      (url) => lan.origin.set(url, { body: '<p>', type: 'text/html' }),
      'E_UPDATE_PORTAL',
    ],
    ['not there', (url) => lan.origin.delete(url), 'E_UPDATE_STATUS'],
  ];
  for (const [what, spoil, code] of attacks) {
    it(`keeps what is in force when a file is ${what}, says why, and heals`, async () => {
      const one = await lone();
      await checked(one, '7');
      const next = publish(lan, '8');
      one.feed.offered = [next];
      spoil(next.files[0]?.url ?? '');
      const report = await one.agent.check('test');
      equal(report.outcome, 'failed');
      equal(report.components[0]?.failure?.code, code);
      equal(inForce(one), '7');
      equal((await checked(one, '8')).outcome, 'updated');
      equal(inForce(one), '8');
    });
  }

  it('keeps what is in force when the new one cannot be installed', async () => {
    const one = await lone();
    await checked(one, '7');
    one.feed.installFails = new CodedError('E_LOAD', 'clamd is down');
    const report = await checked(one, '8');
    equal(report.components[0]?.failure?.code, 'E_LOAD');
    equal(inForce(one), '7');
    one.feed.installFails = undefined;
    const again = await one.agent.check('again');
    equal(again.outcome, 'updated');
    deepEqual(
      again.components[0]?.files.map(({ source }) => source),
      ['kept'],
    );
  });

  it('refuses an older version than was ever verified', async () => {
    const one = await lone();
    await checked(one, '8');
    const report = await checked(one, '7');
    equal(report.components[0]?.decision, 'older-offered');
    equal(inForce(one), '8');
  });

  it('after a power cut at any step has the old version or the new, and heals', async () => {
    let isOver = false;
    let lives = 0;
    for (; !isOver; lives += 1) {
      const directory = scratch();
      const first = await member(lan, 'first', { directory });
      await checked(first, '7');
      const cut = cutDisk(lives);
      try {
        const second = await member(lan, 'second', { directory, disk: cut });
        const report = await checked(second, '8');
        isOver = report.outcome === 'updated';
      } catch {
        // The cut came while the shelf was opened.
      }
      const shelf = await Shelf.open(directory);
      const found = shelf.state('list').version;
      ok(found === '7' || found === '8', `cut after ${lives} steps: ${found}`);
      ok((await shelf.kept('list')).includes(found), `cut after ${lives} steps: no files`);
      const third = await member(lan, 'third', { directory });
      await checked(third, '8');
      equal(inForce(third), '8', `cut after ${lives} steps`);
    }
    ok(lives > 5, `${lives} steps`);
  });
});

describe('update agent: several nodes', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  beforeEach(() => {
    lan = new FakeLan();
  });

  async function three() {
    const poller = await member(lan, 'poller', { directory: scratch() });
    const listen = { role: 'listen' } as const;
    const online = await member(lan, 'online', { directory: scratch(), ...listen });
    const offline = await member(lan, 'offline', {
      ...{ directory: scratch(), ...listen, hasInternet: false },
    });
    return { poller, online, offline };
  }

  it('the provider alone asks what is new, and each file leaves the origin once', async () => {
    const { poller, online, offline } = await three();
    poller.feed.offered = [publish(lan, '7')];
    await poller.agent.check('time');
    await until('all have 7', SOON_MS, () =>
      [online, offline].every((one) => inForce(one) === '7') ? true : undefined,
    );
    deepEqual(lan.asked, [release('7').files[0]?.url]);
    deepEqual([online.feed.polls, offline.feed.polls], [0, 0]);
  });

  it('one that was away asks, and is told', async () => {
    const { poller, online } = await three();
    poller.feed.offered = [publish(lan, '7')];
    await poller.agent.check('time');
    await until('7', SOON_MS, () => (inForce(online) === '7' ? true : undefined));
    const directory = scratch();
    const late = await member(lan, 'late', { directory, role: 'listen', hasInternet: false });
    poller.nowMs += 60_000;
    equal((await late.agent.check('start')).outcome, 'waiting');
    await until('7', SOON_MS, () => (inForce(late) === '7' ? true : undefined));
    equal(lan.asked.length, 1);
  });

  it('one whose provider keeps silent asks the Internet itself', async () => {
    const directory = scratch();
    const one = await member(lan, 'one', { directory, role: 'listen' });
    one.feed.offered = [publish(lan, '7')];
    equal((await one.agent.check('start')).outcome, 'waiting');
    one.nowMs += 300_000;
    const report = await one.agent.check('start');
    deepEqual([report.role, report.outcome], ['poll', 'updated']);
  });

  it('what is bad on the LAN is asked of the origin once more, and shared again', async () => {
    const { poller, online, offline } = await three();
    poller.feed.offered = [publish(lan, '7')];
    const url = release('7').files[0]?.url ?? '';
    lan.shared.set(url, Buffer.from('poisoned'));
    await online.node.announce('news', {});
    lan.tell({
      name: 'news',
      from: 'x',
      values: { feed: 'test', component: 'list', release: '7' },
    });
    await until('7', SOON_MS, () => (inForce(online) === '7' ? true : undefined));
    equal(String(lan.shared.get(url)), contentOf('7'));
    offline.feed.pollFails = new Error('no way out');
    const report = await offline.agent.check('again');
    ok(['updated', 'unchanged'].includes(report.outcome), report.outcome);
    equal(inForce(offline), '7');
  });

  it('tells where each node stands', async () => {
    const { poller, online, offline } = await three();
    poller.feed.offered = [publish(lan, '7')];
    await poller.agent.check('time');
    await until('standings', SOON_MS, () =>
      poller.agent.news.standings.size === 2 ? true : undefined,
    );
    const standings = [...poller.agent.news.standings.values()];
    deepEqual(standings.map(({ node, version }) => `${node} ${version}`).sort(), [
      'offline 7',
      'online 7',
    ]);
    equal(online.feed.polls + offline.feed.polls, 0);
  });
});
