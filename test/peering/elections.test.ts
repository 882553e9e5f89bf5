/** The shell of the elections over a real heart: joining, epochs kept, listeners, commands. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { SeededRandom } from '@peerage/core/base/random.js';
import { NetworkElections } from '@peerage/core/peering/elections.js';
import { Placement } from '@peerage/core/peering/placement.js';
import { readElections } from '@peerage/core/peering/saved-elections.js';
import { Peer } from '@peerage/core/protocol/peer.js';
import { AdjustableClock } from '../fakes/clock.js';
import { RecordingLogger } from '../fakes/log.js';

const placed = {
  weight: 0,
  internet: true,
  reach: async () => 'answered' as const,
  interfaces: () => [],
  nowMs: () => 0,
};

/** A group of one: whoever stands provides at once. */
function setUp(saved = readElections('{}'), probeUrls: string[] = []) {
  const clock = new AdjustableClock();
  const written: string[] = [];
  const peer = new Peer({
    kid: 'me',
    boot: 'boot',
    profile: 'adaptive',
    client: true,
    server: true,
    internet: true,
    broadcastResponses: false,
    roundTripInitialMs: 4,
    peering: false,
    copies: { find: () => undefined, downloading: () => undefined },
    random: new SeededRandom(1),
    sha256: (text) => createHash('sha256').update(text).digest(),
    elections: { name: 'me', epochs: new Map(Object.entries(saved.epochs)) },
  });
  const elections = new NetworkElections({
    name: 'me',
    clock,
    logger: new RecordingLogger(),
    placement: new Placement({ ...placed, probeUrls }, 0),
    saved,
    save: async (changed) => void written.push(JSON.stringify(changed)),
    settings: { pin: '', exclude: [] },
    elect: (change) => {
      for (const effect of peer.elect((all) => change(all, clock.nowMs()))) {
        if (effect.kind === 'designate' || effect.kind === 'keep-epoch' || effect.kind === 'attend')
          elections.perform(effect);
      }
    },
    attend: () => undefined,
    paces: () => [],
  });
  return { clock, written, elections };
}

describe('the elections of a node', () => {
  it('are joined when the Internet access was tested, not before', async () => {
    const { elections } = setUp(readElections('{}'), ['http://a.test/']);
    elections.join('feed');
    assert.equal(elections.state('feed').provider, undefined);
    await elections.open();
    assert.deepEqual(elections.state('feed').provider, { node: 'me', isSelf: true });
    await elections.close();
  });

  it('are not joined any more when the node stops while the access is tested', async () => {
    const { elections } = setUp(readElections('{}'), ['http://a.test/']);
    elections.join('feed');
    const opening = elections.open();
    await elections.close();
    await opening;
    assert.equal(elections.state('feed').provider, undefined);
  });

  it('keep the epoch across restarts', async () => {
    const first = setUp();
    first.elections.join('feed');
    await first.elections.open();
    await first.elections.close();
    const saved = readElections(first.written.at(-1) ?? '');
    assert.equal(saved.epochs['feed'], 1);
    const second = setUp(saved);
    second.elections.join('feed');
    await second.elections.open();
    assert.equal(second.elections.state('feed').epoch, 2);
    await second.elections.close();
  });

  it('end for a service when the last that joined it has left', async () => {
    const { elections } = setUp();
    await elections.open();
    const [one, two] = [elections.join('feed'), elections.join('feed')];
    one.dispose();
    one.dispose();
    assert.equal(elections.table().length, 1);
    two.dispose();
    assert.deepEqual([elections.table(), elections.state('feed').reason], [[], 'not-joined']);
    await elections.close();
  });

  it('tell every listener of each change, although one throws', async () => {
    const { elections } = setUp();
    const heard: string[] = [];
    elections.onChange('feed', () => assert.fail('of no use'));
    const ending = elections.onChange('feed', ({ provider }) => heard.push(provider?.node ?? '-'));
    await elections.open();
    elections.join('feed');
    elections.resign('feed');
    ending.dispose();
    elections.start('feed');
    assert.deepEqual(heard, ['me', '-']);
    await elections.close();
  });

  it('show the levels that decided, and the changes with their reasons', async () => {
    const { elections } = setUp();
    await elections.open();
    elections.join('feed', { criteria: ['cpu', 'internet'] });
    const [row] = elections.table();
    assert.deepEqual(row?.criteria, ['weight', 'cpu', 'internet']);
    assert.equal(row?.candidates[0]?.levels['internet'], 1);
    assert.deepEqual([row?.changes[0]?.provider, row?.changes[0]?.reason], ['me', 'elected']);
    await elections.close();
  });

  it('remember whom the admin excluded or pinned, and obey', async () => {
    const { elections, written } = setUp();
    await elections.open();
    elections.join('feed');
    elections.exclude('feed', 'me', true);
    assert.equal(elections.state('feed').provider, undefined);
    await elections.close();
    const rules = () => readElections(written.at(-1) ?? '').rules['feed'];
    assert.deepEqual(rules(), { excluded: ['me'] });
    elections.pin('feed', 'me');
    await elections.close();
    assert.deepEqual(rules(), { pinned: 'me', excluded: [] });
  });

  for (const criteria of [['mood'], ['cpu', 'cpu'], ['weight'], ['constructor']]) {
    it(`cannot go by ${criteria.join(' and ')}`, () => {
      assert.throws(() => setUp().elections.join('feed', { criteria }), {
        code: 'E_CRITERION_UNKNOWN',
      });
    });
  }
});

describe('the file of the elections', () => {
  for (const text of ['', 'x', '[]', '{"epochs":{"a":-1,"b":"x"},"rules":{"c":7}}', 'null']) {
    it(`that holds ${text || 'nothing'} is as good as none`, () => {
      const { epochs, bytesPerSecond } = readElections(text);
      assert.deepEqual([epochs, bytesPerSecond], [{}, 0]);
    });
  }
});
