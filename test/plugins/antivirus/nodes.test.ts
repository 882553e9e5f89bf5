/** The plugin on the nodes of a LAN: one question, one download, and no way in for bad files. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { useScratch } from '../../fakes/scratch.js';
import { until } from '../../lan/until.js';
import { FakeLan } from '../../update-agent/fake-lan.js';
import { ClamavOrigin, publisher, SOURCE, versionOf } from './clamav-origin.js';
import { type NodeOptions, TestNode } from './rig.js';

const SOON_MS = 5_000;

describe('antivirus: ClamAV on the nodes of a LAN', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  let origin: ClamavOrigin;
  const nodes: TestNode[] = [];
  beforeEach(async () => {
    lan = new FakeLan();
    origin = await ClamavOrigin.start(lan);
    origin.publish(3);
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
    origin.stop();
  });

  async function node(name: string, options: Partial<NodeOptions> = {}): Promise<TestNode> {
    const made = await TestNode.start(lan, name, { directory: scratch(), ...options });
    nodes.push(made);
    return made;
  }

  const all = (version: string) => () => {
    return nodes.every((one) => one.version() === version) ? true : undefined;
  };

  it('the provider asks for all, each file leaves the origin once, also for those offline', async () => {
    const provider = await node('n1', { provider: 'n1' });
    for (const name of ['n2', 'n3']) await node(name, { provider: 'n1' });
    for (const name of ['n4', 'n5']) await node(name, { provider: 'n1', hasInternet: false });
    await provider.check();
    await until('all have 3', SOON_MS, all('3'));
    equal(origin.questions, 1);
    deepEqual(lan.asked, [`${SOURCE}test.cvd?version=3`]);
    origin.publish(5);
    await provider.check();
    await until('all have 5', SOON_MS, all('5'));
    equal(origin.questions, 2);
    deepEqual(lan.asked.slice(1).sort(), [`${SOURCE}test-4.cdiff`, `${SOURCE}test-5.cdiff`]);
  });

  it('a node that becomes the provider asks at once', async () => {
    const [one, two] = [await node('n1', { provider: 'n1' }), await node('n2', { provider: 'n1' })];
    await one.check();
    await until('3', SOON_MS, all('3'));
    origin.publish(4);
    for (const { election } of [one, two]) election.elect('n2');
    await until('4', SOON_MS, all('4'));
  });

  it('a provider that cannot reach the origin gives its office to one that may', async () => {
    const cut = await node('n1', { provider: 'n1', hasInternet: false });
    const other = await node('n2', { provider: 'n1', hasInternet: false });
    await cut.check();
    equal(cut.election.resignations, 1);
    await cut.check();
    equal(cut.election.resignations, 1, 'where nobody reaches it, the office does not go round');
    await other.check();
    equal(other.election.resignations, 0);
    for (const { election } of [cut, other]) election.elect('n2');
    await until('n2 has tried', SOON_MS, () => other.election.resignations === 1 || undefined);
  });

  it('one far behind, and one whose difference is missing, take the whole', async () => {
    const one = await node('n1');
    await one.check();
    origin.publish(5);
    origin.remove('test-4.cdiff');
    equal(await one.check(), 'updated');
    equal(one.version(), '5');
    ok(lan.asked.includes(`${SOURCE}test.cvd?version=5`));
  });

  const attacks: Array<[what: string, attack: () => void, reason: RegExp]> = [
    [
      'tampered: both the difference and the whole',
      () => {
        origin.put('test-4.cdiff', flipped(versionOf(4).difference, 70));
        origin.put('test.cvd', flipped(versionOf(4).database, 900));
      },
      /E_CVD_CONTENTS/,
    ],
    [
      'truncated',
      () => {
        origin.put('test-4.cdiff', versionOf(4).difference.subarray(0, 90));
        origin.put('test.cvd', versionOf(4).database.subarray(0, -100));
      },
      /E_CVD_CONTENTS|E_CVD_HEADER/,
    ],
    [
      'mixed: an old content under a new header',
      () => {
        origin.remove('test-4.cdiff');
        const { database } = versionOf(2);
        origin.put(
          'test.cvd',
          publisher.withHeader(database, (fields) => (fields[2] = '4')),
        );
      },
      /E_CVD_VERSION/,
    ],
    [
      'of a wrong name',
      () => {
        origin.put('test-4.cdiff', publisher.signScript(4, 'OPEN daily.info\nCLOSE\n'));
        origin.put('test.cvd', 'x', 'text/html');
        origin.put('test.cvd', headerThen(versionOf(4).database, 'not the rest'));
      },
      /E_CVD_CONTENTS/,
    ],
    [
      'signed with a wrong key',
      () => {
        const forger = publisher.withHeader(
          versionOf(4).database,
          (fields) => (fields[6] = 'abcd'),
        );
        origin.put('test.cvd', forger);
      },
      /E_CVD_SIGNATURE/,
    ],
    [
      'a portal page',
      () => origin.put('test.cvd', '<html>log in</html>', 'text/html'),
      /E_CVD_HEADER/,
    ],
    ['gone', () => origin.remove('test.cvd'), /E_CLAMAV_SOURCE/],
  ];
  for (const [what, attack, reason] of attacks) {
    it(`keeps what is in force when what is offered is ${what}, says why, and heals`, async () => {
      const one = await node('n1');
      await one.check();
      origin.publish(4);
      attack();
      equal(await one.check(), 'failed');
      match(one.failure() ?? '', reason);
      equal(one.version(), '3');
      origin.publish(4);
      equal(await one.check(), 'updated');
      equal(one.version(), '4');
    });
  }

  it('takes no older version, and stays when the source is frozen', async () => {
    const one = await node('n1');
    await one.check();
    origin.publish(2);
    equal(await one.check(), 'unchanged');
    equal(one.version(), '3');
    const [component] = one.plugin.status().components;
    equal(component?.outcome, 'older-offered');
    ok((component?.ageHours ?? 0) > 1000, 'the age tells that it is frozen');
  });

  it('ends an endless file', async () => {
    const one = await node('n1');
    await one.check();
    origin.publish(4);
    lan.origin.set(`${SOURCE}test-4.cdiff`, { body: 'x', isEndless: true });
    equal(await one.check(), 'updated');
    equal(one.version(), '4');
  });

  it('news with a forged header is refused, and asks nobody', async () => {
    const one = await node('n1', { provider: 'other' });
    const text = versionOf(4).database.subarray(0, 512).toString('latin1').trimEnd();
    const forged = text.replace(/:4:4:/, ':999:4:').replace(/:[A-Za-z0-9+/]{100,}:/, ':abc:');
    lan.tell({
      name: 'news',
      from: 'other',
      values: { feed: 'clamav', component: 'test', release: '999', 'header-0': forged },
    });
    const refused = () => one.context.lines.some(({ event }) => event === 'news-refused');
    await until('refusal', SOON_MS, () => (refused() ? true : undefined));
    deepEqual(lan.asked, []);
  });

  it('recalls a bad version on every node, and takes the next good one', async () => {
    const provider = await node('n1', { provider: 'n1' });
    const other = await node('n2', { provider: 'n1' });
    await provider.check();
    await until('3', SOON_MS, all('3'));
    origin.publish(4);
    await provider.check();
    await until('4', SOON_MS, all('4'));
    await provider.commands.run('recall', 'test', '4', '--back', '3');
    await until('3 again', SOON_MS, all('3'));
    equal(await other.check(), 'unchanged');
    equal(other.version(), '3');
    origin.publish(5);
    await provider.check();
    await until('5', SOON_MS, all('5'));
  });

  it('refuses a recall to what it does not have, and stays with signatures', async () => {
    const one = await node('n1');
    await one.check();
    await one.commands.run('recall', 'test', '3', '--back', '1');
    equal(one.version(), '3');
    equal(one.plugin.status().components[0]?.outcome, 'no-way-back');
  });

  it('ends a recall that was a mistake, on every node', async () => {
    const provider = await node('n1', { provider: 'n1' });
    const other = await node('n2', { provider: 'n1' });
    await provider.check();
    await until('3', SOON_MS, all('3'));
    await provider.commands.run('recall', 'test', '3', '--back', '1');
    const rule = (one: TestNode) => one.plugin.status().components[0]?.rule;
    await until('it is heard', SOON_MS, () => (rule(other) === undefined ? undefined : true));
    // Who did not say it can end it for himself alone.
    await node('n3', { provider: 'n1' });
    await nodes[2]?.commands.run('recall', 'test', '3', '--end');
    await provider.check();
    equal(rule(provider), '3 recalled to 1');
    equal(rule(other), '3 recalled to 1');
    origin.publish(4);
    await provider.check();
    await until('4, the way forward', SOON_MS, all('4'));
    await provider.commands.run('recall', 'test', '3', '--end');
    await until('it is over', SOON_MS, () => (rule(other) === undefined ? true : undefined));
    equal(rule(provider), undefined);
  });

  it('refuses a rule for what nobody has, and says whom it waits for', async () => {
    const provider = await node('n1', { provider: 'n1' });
    const other = await node('n2', { provider: 'n1', hasInternet: false });
    await other.check();
    match((await other.commands.run('status')).text, /waiting; the provider has told nothing yet/);
    await provider.check();
    await until('3', SOON_MS, all('3'));
    const refused = { code: 'E_USAGE', expected: 'one of test' };
    await rejects(provider.commands.run('pin', 'nonsense', '1'), refused);
    await rejects(provider.commands.run('recall', 'nonsense', '1', '--back', '0'), refused);
  });

  it('says of a feed that has brought nothing yet what is wrong with it', async () => {
    const one = await node('n1');
    origin.remove('test.cvd');
    await one.check();
    const { text } = await one.commands.run('status');
    match(text, /^clamav: nothing yet; checked .*: failed; E_/);
  });

  it('pins by command, over a restart, until the pin ends', async () => {
    const directory = scratch();
    const one = await node('n1', { directory });
    await one.check();
    await one.commands.run('pin', 'test', '3');
    await one.stop();
    origin.publish(4);
    const again = await node('n1', { directory });
    await again.check();
    equal(again.version(), '3');
    await again.commands.run('unpin', 'test');
    equal(again.version(), '4');
  });

  it('tells what is in force, from where, and who is behind', async () => {
    const provider = await node('n1', { provider: 'n1' });
    await node('n2', { provider: 'n1', settings: { rules: pinned('3') } });
    await provider.check();
    await until('3', SOON_MS, all('3'));
    origin.publish(4);
    await provider.check();
    const behind = () => provider.plugin.status().lan.find(({ node: name }) => name === 'n2');
    await until('n2 is behind', SOON_MS, () => (behind()?.isBehind === true ? true : undefined));
    const { text } = await provider.commands.run('status');
    match(text, /clamav test: 4, [0-9.]+ h old; checked .*: update; test-4.cdiff from origin/);
    match(text, /n2: test 3 \(behind\)/);
  });
});

function pinned(version: string) {
  return {
    ...{ pins: { test: version }, recalls: [], canaryShare: 1, canaryWaitMinutes: 0 },
    acceptsRecalls: true,
  };
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function headerThen(bytes: Buffer, rest: string): Buffer {
  return Buffer.concat([bytes.subarray(0, 512), Buffer.from(rest)]);
}
