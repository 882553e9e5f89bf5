/** Provenance (§7): what was signed is what is read, and nothing else can pass for it. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { SeededRandom } from '@peerage/core/base/random.js';
import {
  ATTESTATION_BYTES_MAX,
  type Attestation,
  type AttestationSigner,
  openAttestation,
  readStoredAttestation,
  signAttestation,
} from '@peerage/core/trust/attestation.js';
import { createAuthority, type Identity, issueIdentity } from '@peerage/core/trust/authority.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import { Opener } from '@peerage/core/wire/open.js';
import { Sealer } from '@peerage/core/wire/seal.js';
import { parseElement } from '@peerage/core/wire/xml.js';

const WALL_MS = 1_795_376_370_000;
const authority = createAuthority('office', WALL_MS);
const member = issueIdentity(authority, 'pc-1', 30, WALL_MS);
const signerOf = ({ kid, name, key, certificate }: Identity): AttestationSigner => ({
  kid,
  name,
  key,
  certificate: certificate.raw.toString('base64url'),
});
const newKeyring = () => new MemberKeyring({ anchors: [authority.certificate] }, () => WALL_MS);

const SAMPLE: Attestation = {
  url: `https://origin.example/a?b=1&c='d'`,
  variant: '*',
  status: 200,
  headers: { etag: '"x"', 'content-type': 'text/html; charset=é', constructor: 'a' },
  sizeBytes: 1_048_576,
  sha256: 'a'.repeat(64),
  chain: 'b'.repeat(64),
  fetchedAt: WALL_MS,
  expiresAt: WALL_MS + 1000,
  tls: true,
};
const { bytes } = signAttestation(SAMPLE, signerOf(member));

function judge(frame: Buffer, keyring = newKeyring()): string {
  const verdict = openAttestation(frame, keyring);
  return verdict.ok ? 'ok' : verdict.reason;
}

/** The sample's attributes, changed, and signed again by a member: what a bad member can do. */
function resigned(
  changes: Readonly<Record<string, string | undefined>>,
  key: KeyObject = member.key,
  context: 'peerage/packet/v1' | 'peerage/attestation/v1' = 'peerage/attestation/v1',
): Buffer {
  const attributes = parseElement(bytes.toString()) ?? new Map<string, string>();
  attributes.delete('sig');
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) attributes.delete(name);
    else attributes.set(name, value);
  }
  return sealFrame(context, [...attributes], key);
}

const headersOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('an attestation', () => {
  it('is read as it was signed, by a node that never heard of the signer', () => {
    const verdict = openAttestation(bytes, newKeyring());
    ok(verdict.ok);
    deepEqual(verdict.value.attestation, SAMPLE);
    equal(verdict.value.signer, 'pc-1');
    ok(verdict.value.bytes.equals(bytes));
  });

  it('is read from the store without the keyring, and keeps every kind of value', () => {
    for (const change of [{ tls: false }, { status: 404 }, { sizeBytes: 0 }, { headers: {} }]) {
      const attestation = { ...SAMPLE, ...change };
      const signed = signAttestation(attestation, signerOf(member));
      deepEqual(readStoredAttestation(signed.bytes), attestation);
    }
    equal(readStoredAttestation(Buffer.from('<service a="1"/>')), undefined);
    equal(readStoredAttestation(Buffer.from('x')), undefined);
  });

  it('no changed byte is taken, and none throws', () => {
    const random = new SeededRandom(14);
    const keyring = newKeyring();
    for (let at = 0; at < bytes.length; at += 1) {
      for (const value of [0, 0x22, (bytes[at] ?? 0) ^ 1, random.uint32() & 0xff]) {
        if (value === bytes[at]) continue;
        const changed = Buffer.from(bytes);
        changed[at] = value;
        ok(judge(changed, keyring) !== 'ok', `byte ${at} = ${value}`);
      }
    }
    for (let at = 0; at < bytes.length; at += 1) ok(judge(bytes.subarray(0, at)) !== 'ok');
    equal(judge(bytes, keyring), 'ok');
  });

  it('of somebody who is no member is refused', () => {
    const twin = issueIdentity(createAuthority('office', WALL_MS), 'pc-1', 30, WALL_MS);
    equal(judge(signAttestation(SAMPLE, signerOf(twin)).bytes), 'unknown-kid');
    const old = issueIdentity(authority, 'pc-1', 30, WALL_MS - 31 * 86_400_000);
    equal(judge(signAttestation(SAMPLE, signerOf(old)).bytes), 'unknown-kid');
    equal(judge(resigned({ cert: undefined })), 'unknown-kid');
    equal(judge(resigned({ kid: undefined })), 'unknown-kid');
  });

  it('in the name of another member is refused', () => {
    const other = issueIdentity(authority, 'pc-2', 30, WALL_MS);
    const { key } = other;
    equal(judge(resigned({}, key)), 'signature');
    const signer = { ...signerOf(member), key };
    equal(judge(signAttestation(SAMPLE, signer).bytes), 'signature');
  });

  it('of a revoked member is refused', () => {
    const known = newKeyring();
    const keyring = {
      find: (kid: string) => known.find(kid),
      learn: (kid: string, certificate: string) => known.learn(kid, certificate),
      isRevoked: (name: string) => name === 'pc-1',
    };
    const verdict = openAttestation(bytes, keyring);
    equal(!verdict.ok && verdict.reason, 'revoked');
  });

  it('that is too large is refused before anything is read', () => {
    equal(judge(Buffer.alloc(ATTESTATION_BYTES_MAX + 1)), 'length');
    const headers = { 'x-long': 'x'.repeat(30_000) };
    const signed = signAttestation({ ...SAMPLE, headers }, signerOf(member));
    equal(judge(signed.bytes), 'ok');
  });
});

describe('an attestation of a member that says what makes no sense', () => {
  const table: Array<[why: string, changes: Record<string, string | undefined>]> = [
    ['another type', { type: 'bye' }],
    ['no type', { type: undefined }],
    ['no URL', { url: undefined }],
    ['no variant', { variant: undefined }],
    ['no status', { status: undefined }],
    ['no size', { size: undefined }],
    ['no time of the fetch', { 'fetched-at': undefined }],
    ['no expiry', { expires: undefined }],
    ['no word on TLS', { tls: undefined }],
    ['neither yes nor no on TLS', { tls: 'yes' }],
    ['an empty size', { size: '' }],
    ['a negative size', { size: '-1' }],
    ['half a byte', { size: '0.5' }],
    ['a size in hexadecimal', { size: '0x10' }],
    ['a size with an exponent', { size: '1e3' }],
    ['a size with a space', { size: ' 1' }],
    ['a size that is not exact', { size: '9007199254740993' }],
    ['no size at all', { size: 'NaN' }],
    ['a digest in capitals', { sha256: 'A'.repeat(64) }],
    ['a short digest', { sha256: 'a'.repeat(63) }],
    ['no chain', { chain: undefined }],
    ['no headers', { headers: undefined }],
    ['headers that are no JSON', { headers: 'AAAA' }],
    ['headers that are null', { headers: headersOf(null) }],
    ['headers that are a list', { headers: headersOf(['a']) }],
    ['headers that are a number', { headers: headersOf(1) }],
    ['a header that is a number', { headers: headersOf({ a: 1 }) }],
    ['a header that is a list', { headers: headersOf({ a: ['b'] }) }],
    ['a header in capitals', { headers: headersOf({ Etag: 'x' }) }],
    ['a header that ends the line', { headers: headersOf({ 'a\r\nb': 'x' }) }],
    ['a header whose value ends the line', { headers: headersOf({ a: 'x\r\nset-cookie: b' }) }],
    ['a header that poisons objects', { headers: headersOf(JSON.parse('{"__proto__":"x"}')) }],
    ['a header of 65 characters', { headers: headersOf({ ['a'.repeat(65)]: 'x' }) }],
  ];
  for (const [why, changes] of table) {
    it(`is refused: ${why}`, () => {
      equal(judge(resigned(changes)), 'schema');
      equal(readStoredAttestation(resigned(changes)), undefined);
    });
  }
});

describe('packets and attestations', () => {
  const sealer = new Sealer({
    group: 'office',
    kid: member.kid,
    boot: 'BBBBBBBBBBBBBBBBBBBBBA',
    port: 6515,
    key: member.key,
    certificate: signerOf(member).certificate,
  });
  const opener = new Opener({ group: 'office', ownKid: '', keyring: newKeyring() });
  const open = (frame: Buffer) => {
    const verdict = opener.open(frame, { address: '192.0.2.1', onLink: true }, 0, WALL_MS);
    return verdict.ok ? 'ok' : verdict.reason;
  };

  it('a packet, also one with a certificate, is no attestation', () => {
    const packet = sealer.seal({ type: 'bye' }, '192.0.2.1', WALL_MS, true);
    ok(packet !== undefined);
    equal(judge(packet), 'signature');
    equal(open(packet), 'ok');
  });

  it('an attestation is no packet', () => {
    ok(['schema', 'length'].includes(open(bytes)), open(bytes));
  });

  it('the attributes of one in the context of the other hold for neither', () => {
    equal(judge(resigned({}, member.key, 'peerage/packet/v1')), 'signature');
    const packet = sealer.seal({ type: 'bye' }, '192.0.2.1', WALL_MS, true);
    const attributes = parseElement(`${packet}`) ?? new Map<string, string>();
    attributes.delete('sig');
    const crossed = sealFrame('peerage/attestation/v1', [...attributes], member.key);
    equal(open(crossed), 'signature');
    equal(judge(crossed), 'schema');
  });
});
