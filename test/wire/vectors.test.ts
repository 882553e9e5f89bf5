/**
 * The golden vectors: good and hostile packets as files, each with the expected verdict. They were
 * written once by make-vectors.ts and must keep their verdict: a change of the format shows here.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { keyId } from '@peerage/core/trust/certificate.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import { Opener } from '@peerage/core/wire/open.js';
import { outcome } from './stage.js';

const FOLDER = new URL('../../wire/vectors/', import.meta.url);
const files = readdirSync(FOLDER).sort();

/** The `name: value` lines of a vector; the rest of a line belongs to its value. */
function read(file: string): Map<string, string> {
  const lines = readFileSync(new URL(file, FOLDER), 'utf8').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const match = /^([a-z-]+): (.*)$/.exec(line);
      return match === null ? [] : [[match[1] ?? '', match[2] ?? ''] as const];
    }),
  );
}

function judge(vector: ReadonlyMap<string, string>) {
  const text = (name: string) => vector.get(name) ?? '';
  const now = Number(text('now'));
  const ca = new X509Certificate(Buffer.from(text('ca'), 'base64url'));
  const keyring = new MemberKeyring({ anchors: [ca] }, () => now);
  if (text('knows') !== '') {
    const { publicKey } = new X509Certificate(Buffer.from(text('knows'), 'base64url'));
    ok(keyring.learn(keyId(publicKey), text('knows')) !== undefined);
  }
  const opener = new Opener({ group: text('group'), ownKid: text('receiver'), keyring });
  const hex = vector.get('packet-hex');
  const packet = hex === undefined ? Buffer.from(text('packet')) : Buffer.from(hex, 'hex');
  return opener.open(packet, { address: text('from'), onLink: true }, 0, now);
}

describe('the golden vectors', () => {
  for (const file of files) {
    it(file.replace('.txt', '').replaceAll('-', ' '), () => {
      const vector = read(file);
      const verdict = judge(vector);
      equal(outcome(verdict), vector.get('expect'));
      equal(verdict.ok, file.startsWith('good-'));
      if (verdict.ok) deepEqual(verdict.value.message, JSON.parse(vector.get('message') ?? ''));
    });
  }

  it('show every reason that one packet alone can give', () => {
    const shown = new Set(files.map((file) => read(file).get('expect')));
    const reasons = ['length', 'frame', 'encoding', 'attributes', 'schema', 'own', 'unknown-kid'];
    for (const reason of [...reasons, 'certificate', 'address', 'time', 'signature', 'ok']) {
      ok(shown.has(reason), reason);
    }
  });
});
