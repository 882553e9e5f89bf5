/** Single flight where the service has a provider (PROTOCOL §5.3): among those who want it, it goes. */
import assert from 'node:assert/strict';
import type { Effect } from '@peerage/core/protocol/effect.js';
import type { Progress } from '@peerage/core/protocol/message.js';
import { ElectionStage, FIRST, LAST, result, SERVICE } from './election-stage.js';
import { messages, request, WANT } from './stage.js';

const OTHERS = ['p', 'qq', 'rrr', 'ssss', 'ttttt', 'uuuuuu', 'vvvvvvv', 'wwwwwwww'];
const HREF = WANT.href;
const asked = request({ id: 9, service: SERVICE });

function claimOf(): Progress {
  return {
    type: 'progress',
    service: SERVICE,
    id: 5,
    href: HREF,
    variant: '*',
    flight: `/f/${'c'.repeat(64)}`,
    receivedBytes: 0,
    bytesPerSecond: 0,
    aborted: false,
    claim: true,
  };
}

const claims = (effects: readonly Effect[]) => messages(effects, 'progress');
const follows = (effects: readonly Effect[]) =>
  effects.filter((effect) => effect.kind === 'retrieve' && effect.source.kind === 'flight').length;

/** A stage that is the provider itself. */
function provider(): ElectionStage {
  const stage = new ElectionStage().elected(FIRST);
  assert.equal(stage.provider, 'name-of-me');
  return stage;
}

/** A stage whose provider is `kid`. */
function follower(kid: string): ElectionStage {
  const stage = new ElectionStage().joined(LAST);
  stage.hear(kid, result(kid, FIRST));
  assert.equal(stage.provider, `name-of-${kid}`);
  return stage;
}

/** Wants it and has just found nobody. */
function missed(stage: ElectionStage): void {
  stage.want({ service: SERVICE });
  const before = stage.now;
  while (
    messages(
      stage.pass(1).map(({ effect }) => effect),
      'request',
    ).length === 0
  ) {
    assert.ok(stage.now < before + 60, 'it asks everybody');
  }
}

/** When it claims first, counted from now; infinite if it does not in the time. */
function claimsAfterMs(stage: ElectionStage): number {
  const start = stage.now;
  const first = stage.pass(300).find(({ effect }) => claims([effect]).length > 0);
  return (first?.at ?? Number.POSITIVE_INFINITY) - start;
}

describe('single flight with a provider (§5.3)', () => {
  it('is the provider’s turn at once, however many want it too', () => {
    const [alone, crowded] = [provider(), provider()];
    for (const stage of [alone, crowded]) missed(stage);
    for (const kid of OTHERS) crowded.hear(kid, asked);
    assert.equal(claimsAfterMs(crowded), claimsAfterMs(alone));
  });

  it('waits one slot for a provider that wants it, wherever the order has it', () => {
    for (const kid of OTHERS) {
      const [without, beside] = [follower(kid), follower(kid)];
      for (const stage of [without, beside]) missed(stage);
      beside.hear(kid, asked);
      assert.ok(claimsAfterMs(beside) >= claimsAfterMs(without) + 5, kid);
    }
  });

  it('follows the provider, whose claim comes while it waits for its turn', () => {
    for (const kid of OTHERS) {
      const stage = follower(kid);
      missed(stage);
      stage.hear(kid, asked);
      assert.equal(follows(stage.hear(kid, claimOf())), 1, `follows ${kid}`);
    }
  });

  it('meets another claim as all others do: who is the provider, two nodes may see differently', () => {
    for (const kid of OTHERS) {
      const outcome = (stage: ElectionStage) => {
        missed(stage);
        const until = stage.now + 400;
        while (claims(stage.pass(1).map(({ effect }) => effect)).length === 0) {
          assert.ok(stage.now < until, 'it claims');
        }
        return follows(stage.hear(kid, claimOf()));
      };
      assert.equal(outcome(provider()), outcome(follower(kid)), kid);
    }
  });

  it('knows itself for the provider also under a new key', () => {
    let kid = 'me';
    const options = {
      get kid() {
        return kid;
      },
    };
    const stage = new ElectionStage(options).elected(FIRST);
    kid = 'new';
    assert.equal(stage.peer.elections?.designated(SERVICE), 'new');
    assert.equal(stage.peer.elections?.provider(SERVICE), undefined);
  });

  it('is the next one’s turn when the provider says nothing', () => {
    const stage = follower('p');
    missed(stage);
    stage.hear('p', asked);
    const went = stage.pass(300).some(({ effect }) => effect.kind === 'retrieve');
    assert.ok(went);
  });
});
