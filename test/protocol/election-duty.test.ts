/** The provider's duty as the searches see it (PROTOCOL §4.2, §5.5, §8.9). */
import assert from 'node:assert/strict';
import { ElectionStage, FIRST, result, SECOND, SERVICE } from './election-stage.js';
import { messages } from './stage.js';

const INTERNET = { internet: true } as const;

function following(options: ConstructorParameters<typeof ElectionStage>[0] = INTERNET) {
  const stage = new ElectionStage(options).joined(SECOND);
  stage.hear('p', result('p', FIRST, { epoch: 4, backup: 'somebody' }));
  return stage;
}

describe('a search under a provider (§8.9)', () => {
  it('asks the provider first, by a directed request', () => {
    const stage = following();
    const { effects } = stage.want({ service: SERVICE });
    const [asked] = messages(effects, 'request');
    assert.equal(asked?.to, 'p');
  });

  it('asks everybody after "none" of the provider', () => {
    const stage = following();
    const [asked] = messages(stage.want({ service: SERVICE }).effects, 'request');
    assert.ok(asked !== undefined);
    const [next] = messages(stage.hear('p', stage.none(asked)), 'request');
    assert.ok(next !== undefined && next.to === undefined);
  });

  it('asks nobody first where this node is the provider', () => {
    const stage = new ElectionStage().elected(FIRST);
    const [asked] = messages(stage.want({ service: SERVICE }).effects, 'request');
    assert.ok(asked !== undefined && asked.to === undefined);
  });

  it('of a node without Internet goes to the provider as soon as nobody has it', () => {
    const stage = following({ internet: false });
    const { effects } = stage.want({ service: SERVICE });
    const [asked] = messages(effects, 'request');
    assert.ok(asked !== undefined);
    stage.hear('p', stage.none(asked));
    const from = stage.now;
    const gone = stage.pass(200).find(({ effect }) => effect.kind === 'retrieve');
    assert.ok(gone?.effect.kind === 'retrieve' && gone.effect.source.kind === 'origin');
    assert.ok(gone.at - from < 60, `after ${gone.at - from} ms`);
  });
});
