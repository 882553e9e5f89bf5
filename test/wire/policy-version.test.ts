/** The policy's version in a hello (§1.8, §2.2): carried where there is one, an integer or refused. */
import { deepEqual, equal } from 'node:assert/strict';
import type { Hello } from '@peerage/core/protocol/message.js';
import {
  byeAttributes,
  MESSAGES,
  makeStage,
  ON_LINK,
  outcome,
  sealed,
  signed,
  WALL_MS,
} from './stage.js';

const HELLO = MESSAGES['hello'] as Hello;

describe('the version of the group policy in a hello', () => {
  it('comes out as it went in, and is absent where it was absent', () => {
    for (const policy of [undefined, 1, 4_000_000_000]) {
      const { sender, opener } = makeStage();
      const message = policy === undefined ? HELLO : { ...HELLO, policy };
      const verdict = opener.open(sealed(sender, message, true), ON_LINK, 0, WALL_MS);
      deepEqual(verdict.ok && verdict.value.message, message);
    }
  });

  it('is refused where it is no whole number, and in other packets', () => {
    const hello = { client: '1', server: '1', internet: '1', starting: '0', n: '1' };
    const cases: Array<[attributes: Record<string, string>, expected: string]> = [
      [{ type: 'hello', ...hello, policy: '1' }, 'ok'],
      [{ type: 'hello', ...hello, policy: '01' }, 'schema'],
      [{ type: 'hello', ...hello, policy: '-1' }, 'schema'],
      [{ type: 'hello', ...hello, policy: '' }, 'schema'],
      [{ type: 'hello', ...hello, policy: '9999999999999999' }, 'schema'],
      [{ type: 'bye', policy: '1' }, 'schema'],
    ];
    for (const [attributes, expected] of cases) {
      const { sender, opener } = makeStage();
      const bytes = signed(sender.key, byeAttributes(sender, attributes));
      equal(outcome(opener.open(bytes, ON_LINK, 0, WALL_MS)), expected, JSON.stringify(attributes));
    }
  });
});
