/** Nodes of neighbouring versions work together (PROTOCOL §2.2): a newer one only adds. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { openPolicy } from '@peerage/core/trust/group-policy.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import { isNewer, isReadable } from '@peerage/core/wire/version.js';
import {
  type Attributes,
  byeAttributes,
  GROUP,
  makeStage,
  ON_LINK,
  openerFor,
  outcome,
  signed,
  WALL_MS,
} from './stage.js';

const stage = makeStage();

function judge(changes: Attributes) {
  const bytes = signed(stage.sender.key, byeAttributes(stage.sender, changes));
  return openerFor(stage.receiver, stage.keyring).open(bytes, ON_LINK, 0, WALL_MS);
}

describe('a packet of another version', () => {
  it('a newer minor one is heard; what it adds is passed over', () => {
    const verdict = judge({ version: '1.7', 'new-thing': 'x', another: '5' });
    ok(verdict.ok);
    deepEqual(verdict.value.message, { type: 'bye' });
    equal(outcome(judge({ version: '1.0', 'new-thing': 'x' })), 'schema');
  });

  it('what is known in it must still be of its kind', () => {
    equal(outcome(judge({ version: '1.7', port: '70000' })), 'schema');
    equal(outcome(judge({ version: '1.7', 'new-thing': 'x'.repeat(601) })), 'schema');
    equal(outcome(judge({ version: '1.7', kid: undefined })), 'schema');
  });

  it('a type that only a newer version knows is refused and counted, and harms nobody', () => {
    equal(outcome(judge({ version: '1.7', type: 'tomorrow' })), 'schema');
  });

  it('another major one, or none at all, is not read', () => {
    for (const version of ['2.0', '0.9', '1', '1.', '1.0.0', '01.0', 'x', '', undefined]) {
      equal(outcome(judge({ version })), 'version', String(version));
    }
  });
});

describe('a version', () => {
  it('is readable and newer by its numbers', () => {
    deepEqual(['1.0', '1.1', '1.10', '2.0'].map(isReadable), [true, true, true, false]);
    deepEqual(['1.0', '1.1', '1.10', '2.1'].map(isNewer), [false, true, true, false]);
  });

  it('a newer group policy is enforced as far as it is known here', () => {
    const { key, certificate } = stage.authority;
    const policy = (version: string) =>
      sealFrame(
        'peerage/policy/v1',
        [
          ['type', 'policy'],
          ['version', version],
          ['group', GROUP],
          ['policy', '3'],
          ['issued', '1'],
          ['revoked', 'thief@1'],
          ['tomorrow', 'yes'],
        ],
        key,
      );
    const verdict = openPolicy(policy('1.4'), [certificate]);
    ok(verdict.ok);
    deepEqual(verdict.value.policy.revoked, [{ name: 'thief', since: 1 }]);
    equal(openPolicy(policy('2.0'), [certificate]).ok, false);
  });
});
