/** Attributes of election packets that fit the schema and yet say nothing that can be meant. */
import assert from 'node:assert/strict';
import { decodeElection, encodeElection } from '@peerage/core/wire/election-codec.js';

const NODE = `${'N'.repeat(21)}A`;
const CLAIM = { service: 'feed', epoch: '1', criteria: 'weight=0 internet=1' };

const decode = (type: 'election' | 'alive', values: Record<string, string>) =>
  decodeElection(type, new Map(Object.entries(values)));

describe('the attributes of an election packet', () => {
  const bad: Array<[why: string, criteria: string]> = [
    ['no level', ''],
    ['a level without a value', 'weight='],
    ['two spaces', 'weight=0  internet=1'],
    ['a fraction', 'weight=0.5'],
    ['a leading zero', 'weight=01'],
    ['minus zero', 'weight=-0'],
    ['a capital', 'Weight=0'],
    ['a number of five digits', 'weight=10000'],
    ['seventeen levels', Array.from({ length: 17 }, () => 'a=1').join(' ')],
  ];
  for (const [why, criteria] of bad) {
    it(`are refused with ${why}`, () => {
      assert.equal(decode('election', { ...CLAIM, criteria }), undefined);
    });
  }

  it('are refused in a claim to one node, and in a keep-alive to nobody', () => {
    assert.equal(decode('election', { ...CLAIM, to: NODE }), undefined);
    const alive = { service: 'feed', epoch: '1', ask: '1', interval: '100' };
    assert.equal(decode('alive', alive), undefined);
    assert.equal(decode('alive', { ...alive, to: NODE })?.type, 'alive');
  });

  it('keep the order of the levels, for it is their rank', () => {
    const claim = decode('election', CLAIM);
    assert.ok(claim?.type === 'election');
    assert.deepEqual(
      claim.criteria.map(({ name }) => name),
      ['weight', 'internet'],
    );
    assert.deepEqual(encodeElection(claim)[2], ['criteria', CLAIM.criteria]);
  });
});
