/**
 * Writes the golden vectors anew, with a new CA and new keys (`node test/dist/wire/make-vectors.js`).
 * The vectors are kept in the repository so that a change of the format is seen, and so that
 * another implementation can be held against the same bytes. Each file is complete in itself: the
 * CA, what the receiver knows, the clock, the datagram and the verdict. No private key is kept.
 */
import { type KeyObject, sign } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Message } from '@peerage/core/protocol/message.js';
import { createAuthority, type Identity, issueIdentity } from '@peerage/core/trust/authority.js';
import { keyId } from '@peerage/core/trust/certificate.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import type { RejectionReason } from '@peerage/core/wire/rejection.js';
import {
  type Attributes,
  BOOT,
  byeAttributes,
  certificateText,
  GROUP,
  MESSAGES,
  makeStage,
  SENDER_ADDRESS,
  sealed,
  sealerFor,
  signed,
  WALL_MS,
} from './stage.js';

const FOLDER = new URL('../../wire/vectors/', import.meta.url);
const DAY_MS = 86_400_000;

interface Vector {
  readonly name: string;
  readonly why: string;
  readonly packet: Buffer;
  readonly expect: 'ok' | RejectionReason;
  /** Whether the receiver knows the sender's certificate already; true if absent. */
  readonly known?: boolean;
  readonly message?: Message;
}

const { authority, sender, receiver } = makeStage();

/** Properly signed bytes that no encoder would write. */
function signedText(text: string | Buffer, key: KeyObject = sender.key): Buffer {
  const body = Buffer.concat([Buffer.from('<service '), Buffer.from(text)]);
  const input = Buffer.concat([Buffer.from('peerage/packet/v1\0'), body]);
  const signature = sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  return Buffer.concat([body, Buffer.from(` sig="${signature}"/>`)]);
}

const byeText = Object.entries(byeAttributes(sender))
  .map(([name, value]) => `${name}="${value}"`)
  .join(' ');
const bye = (changes: Attributes = {}) => signed(sender.key, byeAttributes(sender, changes));
const custom = (raw: string) =>
  signedText(`${byeText.replace('"bye"', '"x-p-n" service="p"')} a="${raw}"`);
const text = (bytes: Buffer, change: (text: string) => string) =>
  Buffer.from(change(bytes.toString('latin1')), 'latin1');

function good(): Vector[] {
  const vectors: Vector[] = Object.entries(MESSAGES).map(([name, message]) => ({
    name: name.replaceAll(' ', '-'),
    why: `A ${name} of a sender that the receiver knows.`,
    packet: sealed(sender, message),
    expect: 'ok',
    message,
  }));
  const hello = MESSAGES['hello'] ?? { type: 'bye' };
  const introduced: Vector = {
    name: 'hello-of-a-stranger',
    why: 'The certificate comes with the packet and ends in the pinned CA.',
    packet: sealed(sender, hello),
    expect: 'ok',
    known: false,
    message: hello,
  };
  return [...vectors, introduced];
}

type FormRow = [name: string, why: string, packet: Buffer, expect: RejectionReason];

function badForm(): Vector[] {
  const rows = [...badFrames(), ...badAttributes()];
  return rows.map(([name, why, packet, expect]) => ({ name, why, packet, expect }));
}

function badFrames(): FormRow[] {
  const plain = bye();
  return [
    ['too-short', 'A frame of fewer than 200 bytes.', signedText('a="1"'), 'length'],
    [
      'too-long',
      'A frame of 1401 bytes.',
      bye({ cert: 'A'.repeat(1401 - plain.length - 8) }),
      'length',
    ],
    ['line-break-after', 'Something follows the element.', text(plain, (t) => `${t}\n`), 'frame'],
    [
      'declaration-before',
      'An XML declaration.',
      text(plain, (t) => `<?xml version="1.0"?>${t}`),
      'frame',
    ],
    [
      'doctype-before',
      'A DOCTYPE with an entity.',
      text(plain, (t) => `<!DOCTYPE a [<!ENTITY b "c">]>${t}`),
      'frame',
    ],
    [
      'signature-in-single-quotes',
      'Well-formed XML, another form.',
      text(plain, (t) => t.replace(/sig="(.*)"/, "sig='$1'")),
      'frame',
    ],
    [
      'signature-not-canonical',
      'The same signature in another spelling.',
      text(plain, respell),
      'frame',
    ],
    [
      'bad-utf-8',
      'A signed byte that is no UTF-8.',
      signedText(Buffer.concat([Buffer.from(`${byeText} a="`), Buffer.from([0xc0, 0xaf, 0x22])])),
      'encoding',
    ],
    ['nul', 'A signed NUL.', custom('\0'), 'encoding'],
    ['line-break-in-value', 'Parsers turn it into a space.', custom('a\nb'), 'encoding'],
    [
      'open-bracket',
      'A signed bracket: a second element could follow.',
      custom('"/><service b="'),
      'encoding',
    ],
  ];
}

function badAttributes(): FormRow[] {
  return [
    [
      'duplicate',
      'Parsers take the last, others the first.',
      signedText(`${byeText} seq="2"`),
      'attributes',
    ],
    [
      'second-signature',
      'The name sig is reserved.',
      signedText(`${byeText} sig="x"`),
      'attributes',
    ],
    [
      'two-spaces',
      'Well-formed XML, another form.',
      signedText(byeText.replace(' seq', '  seq')),
      'attributes',
    ],
    [
      'single-quotes',
      'Well-formed XML, another form.',
      signedText(byeText.replace(/seq="1"/, "seq='1'")),
      'attributes',
    ],
    [
      'character-reference',
      'Well-formed XML, not one of the five entities.',
      custom('&#65;'),
      'attributes',
    ],
    ['unknown-entity', 'An entity that only a DOCTYPE could define.', custom('&b;'), 'attributes'],
    [
      'prototype',
      'A name that poisons objects.',
      signedText(`${byeText} __proto__="x"`),
      'attributes',
    ],
  ];
}

/** The last character with its unused bits set: decodes to the same bytes. */
function respell(packet: string): string {
  const next: Readonly<Record<string, string>> = { A: 'B', Q: 'R', g: 'h', w: 'x' };
  return packet.replace(/.(?="\/>$)/, (last) => next[last] ?? last);
}

function badMeaning(): Vector[] {
  const response = MESSAGES['response'] ?? { type: 'bye' };
  const both = text(sealed(sender, response), (t) => t.replace(/^<service | sig=.*$/g, ''));
  const rows: Array<[name: string, why: string, packet: Buffer, expect: RejectionReason]> = [
    ['unknown-type', 'No such type.', bye({ type: 'query' }), 'schema'],
    ['unknown-attribute', 'An attribute that the type does not have.', bye({ a: '1' }), 'schema'],
    ['no-boot', 'An attribute of the header is missing.', bye({ boot: undefined }), 'schema'],
    ['port-0', 'No port.', bye({ port: '0' }), 'schema'],
    ['port-65536', 'No port.', bye({ port: '65536' }), 'schema'],
    [
      'number-not-exact',
      '2^53 + 1 cannot be told from 2^53.',
      bye({ seq: '9007199254740993' }),
      'schema',
    ],
    ['other-group', 'Another group under the same CA.', bye({ group: 'other' }), 'schema'],
    ['response-both', 'A copy and none at once.', signedText(`${both} none="1"`), 'schema'],
    [
      'id-too-large',
      'An ID of 2^31.',
      bye({ type: 'end-request', service: 'p', ID: '2147483648' }),
      'schema',
    ],
    ['own', 'One’s own packet comes back.', sealed(receiver, { type: 'bye' }), 'own'],
    ['sent-on', 'Came from another address than it says.', bye({ addr: '192.0.2.11' }), 'address'],
    ['too-old', 'More than 60 s old.', bye({ ts: String(WALL_MS - 60_001) }), 'time'],
    ['from-the-future', 'More than 60 s ahead.', bye({ ts: String(WALL_MS + 60_001) }), 'time'],
    [
      'changed-byte',
      'One bit of the signed bytes is another.',
      text(bye(), (t) => t.replace('seq="1"', 'seq="3"')),
      'signature',
    ],
    [
      'other-key',
      'Signed by another member.',
      signed(receiver.key, byeAttributes(sender)),
      'signature',
    ],
    ['other-context', 'Signed as an attestation.', asAttestation(), 'signature'],
  ];
  return rows.map(([name, why, packet, expect]) => ({ name, why, packet, expect }));
}

function asAttestation(): Buffer {
  const pairs = Object.entries(byeAttributes(sender)) as Array<[string, string]>;
  return sealFrame('peerage/attestation/v1', pairs, sender.key);
}

function badCertificates(): Vector[] {
  const hello = MESSAGES['hello'] ?? { type: 'bye' };
  const twin = issueIdentity(createAuthority(GROUP, WALL_MS), 'sender', 30, WALL_MS);
  const expired = issueIdentity(authority, 'sender', 30, WALL_MS - 31 * DAY_MS);
  const early = issueIdentity(authority, 'sender', 60, WALL_MS + DAY_MS);
  const asNode: Identity = {
    ...sender,
    kid: keyId(authority.key),
    key: authority.key,
    certificate: authority.certificate,
  };
  const stolen = bye({ cert: certificateText(receiver) });
  const rows: Array<[name: string, why: string, packet: Buffer]> = [
    ['foreign-ca', 'A CA of the same name, but not the pinned one.', sealed(twin, hello)],
    ['expired', 'The certificate ended a day ago.', sealed(expired, hello)],
    ['not-yet-valid', 'The certificate begins in a day.', sealed(early, hello)],
    ['ca-as-node', 'The CA speaks as if it were a node.', sealed(asNode, hello)],
    ['certificate-of-another', 'The certificate does not hash to the kid.', stolen],
  ];
  const vectors: Vector[] = rows.map(([name, why, packet]) => {
    return { name, why, packet, expect: 'certificate', known: false };
  });
  const packet = sealerFor(sender, GROUP, BOOT).seal(
    { type: 'bye' },
    SENDER_ADDRESS,
    WALL_MS,
    false,
  );
  const why = 'A sender that the receiver does not know, without certificate.';
  const unknown: Vector = {
    name: 'stranger',
    why,
    packet: packet ?? Buffer.alloc(0),
    expect: 'unknown-kid',
    known: false,
  };
  return [...vectors, unknown];
}

/** One vector as the text of its file. */
function write({ why, packet, expect, known, message }: Vector): string {
  const plain = /^[\x20-\x7e]*$/.test(packet.toString('latin1'));
  const lines = [
    `# ${why}`,
    `expect: ${expect}`,
    `group: ${GROUP}`,
    `ca: ${authority.certificate.raw.toString('base64url')}`,
    `receiver: ${receiver.kid}`,
    `knows: ${known === false ? '' : certificateText(sender)}`,
    `now: ${WALL_MS}`,
    `from: ${SENDER_ADDRESS}`,
    plain ? `packet: ${packet}` : `packet-hex: ${packet.toString('hex')}`,
  ];
  if (message !== undefined) lines.push(`message: ${JSON.stringify(message)}`);
  return `${lines.join('\n')}\n`;
}

mkdirSync(FOLDER, { recursive: true });
for (const old of readdirSync(FOLDER)) rmSync(new URL(old, FOLDER));
for (const vector of good())
  writeFileSync(new URL(`good-${vector.name}.txt`, FOLDER), write(vector));
for (const vector of [...badForm(), ...badMeaning(), ...badCertificates()]) {
  writeFileSync(new URL(`hostile-${vector.name}.txt`, FOLDER), write(vector));
}
