/**
 * The signed growing chain of a download in progress (PROTOCOL §6.3): the node that downloads signs
 * a head (what it is downloading) and, for each piece, the chain up to it. Relays pass the same
 * bytes and signatures on; whoever receives a piece can verify it at once, however many hops away.
 *
 * Invariant: a piece's signature covers the head, the piece's number and, through the chain, every
 * piece before it; so pieces of different downloads can never be mixed.
 */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { sealFrame } from '../wire/frame.js';
import type { Keyring } from '../wire/open.js';
import { accepted, rejected, type Verdict } from '../wire/rejection.js';
import { FORMAT_VERSION, isReadable } from '../wire/version.js';
import { type AttestationSigner, decodeHeaders, encodeHeaders } from './attestation.js';
import { openDocument } from './document.js';

const CONTEXT = 'peerage/flight/v1';
const PIECE_CONTEXT = Buffer.from('peerage/piece/v1\0');
/** Largest head in bytes: a page of headers. */
export const HEAD_BYTES_MAX = 64 * 1024;
export const PIECE_SIGNATURE_BYTES = 64;
const LIMITS = { bytesMax: HEAD_BYTES_MAX, countMax: 16, valueLengthMax: 48 * 1024 };

/** What is being downloaded. */
export interface FlightDescription {
  readonly url: string;
  readonly variant: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Size of the whole, if the origin said so. */
  readonly sizeBytes: number | undefined;
  readonly tls: boolean;
  /** Number of the first piece that is signed under this head: 0, or where a successor took over. */
  readonly firstPiece: number;
}

/** A head with what is needed to verify the pieces under it. */
export interface SignedHead {
  readonly description: FlightDescription;
  readonly signer: string;
  readonly bytes: Buffer;
  readonly hash: Buffer;
  readonly key: KeyObject;
}

export function signHead(
  description: FlightDescription,
  signer: AttestationSigner,
  publicKey: KeyObject,
): SignedHead {
  const { url, variant, status, headers, sizeBytes, tls, firstPiece } = description;
  const bytes = sealFrame(
    CONTEXT,
    [
      ['type', 'flight'],
      ['version', FORMAT_VERSION],
      ['url', url],
      ['variant', variant],
      ['status', String(status)],
      ['headers', encodeHeaders(headers)],
      ...(sizeBytes === undefined ? [] : [['size', String(sizeBytes)] as const]),
      ['tls', tls ? '1' : '0'],
      ['first-piece', String(firstPiece)],
      ['kid', signer.kid],
      ['cert', signer.certificate],
    ],
    signer.key,
  );
  return { description, signer: signer.name, bytes, hash: hashOf(bytes), key: publicKey };
}

/** Verifies and reads a head that came from anywhere. Never throws. */
export function openHead(bytes: Buffer, keyring: Keyring): Verdict<SignedHead> {
  const opened = openDocument(CONTEXT, bytes, LIMITS, keyring);
  if (!opened.ok) return opened;
  const { name, key } = opened.value.signer;
  const description = readDescription(opened.value.attributes);
  if (description === undefined) return rejected('schema');
  return accepted({ description, signer: name, bytes, hash: hashOf(bytes), key });
}

function readDescription(attributes: ReadonlyMap<string, string>): FlightDescription | undefined {
  const text = (name: string) => attributes.get(name) ?? '';
  const headers = decodeHeaders(text('headers'));
  const size = attributes.get('size');
  const sizeBytes = size === undefined ? undefined : Number(size);
  const status = Number(text('status'));
  const firstPiece = Number(text('first-piece'));
  const numbers = [status, firstPiece, sizeBytes ?? 0];
  const sound = numbers.every((value) => Number.isSafeInteger(value) && value >= 0);
  if (!sound || headers === undefined || text('type') !== 'flight') return undefined;
  if (!isReadable(text('version'))) return undefined;
  const tls = text('tls') === '1';
  return {
    url: text('url'),
    variant: text('variant'),
    status,
    headers,
    sizeBytes,
    tls,
    firstPiece,
  };
}

function pieceMessage(head: Buffer, piece: number, chain: Buffer): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(piece);
  return Buffer.concat([PIECE_CONTEXT, head, number, chain]);
}

/** Signs the chain up to a piece. */
export function signPiece(head: SignedHead, piece: number, chain: Buffer, key: KeyObject): Buffer {
  return sign('sha256', pieceMessage(head.hash, piece, chain), { key, dsaEncoding: 'ieee-p1363' });
}

export function verifyPiece(
  head: SignedHead,
  piece: number,
  chain: Buffer,
  signature: Buffer,
): boolean {
  const options = { key: head.key, dsaEncoding: 'ieee-p1363' } as const;
  return verify('sha256', pieceMessage(head.hash, piece, chain), options, signature);
}

function hashOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
