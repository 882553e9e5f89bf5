/**
 * What an evil member does with somebody who wants its copy: each behaviour says what it offers by
 * packet, what it attests, and how it answers. What is not said is done honestly.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Copy } from '@peerage/core/protocol/message.js';
import type { Attestation } from '@peerage/core/trust/attestation.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import { linger } from '../pace.js';

export interface Behaviour {
  /** Whether it is to be found among the banned afterwards; else it was not even asked for bytes. */
  readonly banned: boolean;
  /** The victim has to wait until a limit of time is reached. */
  readonly slow?: true;
  /** The bytes that it attests, if it lies about them; the digest is then known to the victim. */
  readonly attestedBytes?: (honest: Buffer) => Buffer;
  readonly attested?: (honest: Attestation) => Partial<Attestation>;
  readonly offered?: (honest: Copy) => Partial<Copy>;
  /** Answers for the attestation, the list of piece hashes, or the object. */
  readonly frame?: (honest: Buffer) => Buffer;
  readonly hashes?: (honest: Buffer) => Buffer;
  readonly object?: (response: ServerResponse, rest: Buffer, request: IncomingMessage) => void;
  /** Shows another identity's certificate than that of the kid that offered. */
  readonly identity?: 'another' | 'foreign';
}

const HOUR_MS = 3_600_000;

/** Ends the body as an honest peer would, with other bytes. */
function sends(change: (rest: Buffer) => Buffer) {
  return (response: ServerResponse, rest: Buffer): void => {
    response.statusCode = 206;
    response.setHeader('content-length', rest.length);
    response.end(change(Buffer.from(rest)));
  };
}

function flip(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

function swapPieces(bytes: Buffer): Buffer {
  const [first, second] = [
    bytes.subarray(0, PIECE_BYTES),
    bytes.subarray(PIECE_BYTES, 2 * PIECE_BYTES),
  ];
  return Buffer.concat([second, first, bytes.subarray(2 * PIECE_BYTES)]);
}

async function pour(response: ServerResponse, everyMs: number, bytes: () => Buffer): Promise<void> {
  while (!response.destroyed) {
    response.write(bytes());
    await linger(everyMs);
  }
}

const status = (code: number, headers: Record<string, string> = {}) => {
  return (response: ServerResponse) => void response.writeHead(code, headers).end('x');
};

export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'one byte changed': { banned: true, object: sends((rest) => flip(rest, rest.length >> 1)) },
  'last byte changed': { banned: true, object: sends((rest) => flip(rest, rest.length - 1)) },
  'nothing but zeros': { banned: true, object: sends((rest) => rest.fill(0)) },
  'pieces exchanged': { banned: true, object: sends(swapPieces) },
  'a body that is cut': {
    banned: true,
    object: (response, rest) => {
      response.writeHead(206, { 'content-length': rest.length });
      response.write(rest.subarray(0, rest.length / 2), () => response.destroy());
    },
  },
  'a short body that ends well': {
    banned: true,
    object: (response, rest) => response.writeHead(206).end(rest.subarray(0, PIECE_BYTES + 5)),
  },
  'a byte too many': {
    banned: false,
    object: (response, rest) =>
      response.writeHead(206).end(Buffer.concat([rest, Buffer.from('x')])),
  },
  'a body without end': {
    banned: true,
    object: (response) => {
      response.writeHead(206);
      void pour(response, 1, () => randomBytes(65_536));
    },
  },
  'a drip': {
    banned: true,
    slow: true,
    object: (response, rest) => {
      response.writeHead(206, { 'content-length': rest.length });
      void pour(response, 1000, () => Buffer.from('x'));
    },
  },
  'a head and then silence': {
    banned: true,
    slow: true,
    object: (response, rest) => {
      response.writeHead(206, { 'content-length': rest.length }).flushHeaders();
    },
  },
  'no answer at all': { banned: true, slow: true, object: () => undefined },
  'a length of another body': {
    banned: true,
    object: (response) => response.writeHead(206, { 'content-length': '7' }).end('1234567'),
  },
  'a redirection to elsewhere': {
    banned: true,
    object: status(302, { location: 'http://127.0.0.1:6516/proxy.pac' }),
  },
  'an error': { banned: true, object: status(500) },
  'a compressed bomb': {
    banned: true,
    object: (response) => {
      response.writeHead(206, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1e7)));
    },
  },
  'a head of 200 KB': {
    banned: true,
    object: (response) => status(206, { 'x-a': 'a'.repeat(200_000) })(response),
  },
  'what is no HTTP': {
    banned: true,
    object: (response) => void response.socket?.end('\x16\x03\x01 garbage \r\n\r\n'),
  },
  'a larger size offered than attested': {
    banned: true,
    offered: ({ sizeBytes }) => ({ sizeBytes: sizeBytes + 1 }),
  },
  'a size that cannot be': { banned: true, offered: () => ({ sizeBytes: 2 ** 50 }) },
  'another digest offered than attested': {
    banned: true,
    offered: () => ({ sha256: 'a'.repeat(64) }),
  },
  'an attestation that is noise': { banned: true, frame: () => randomBytes(800) },
  'an attestation that was changed': {
    banned: true,
    frame: (honest) => flip(Buffer.from(honest), 200),
  },
  'an attestation without end': { banned: true, frame: () => Buffer.alloc(300_000, 'a') },
  'piece hashes that are noise': { banned: true, hashes: (honest) => randomBytes(honest.length) },
  'piece hashes of another length': {
    banned: true,
    hashes: (honest) => honest.subarray(0, honest.length - 32),
  },
  'an attestation of another URL': {
    banned: false,
    attested: ({ url }) => ({ url: `${url}&x` }),
  },
  'an attestation from the future': {
    banned: false,
    attested: () => ({ fetchedAt: Date.now() + HOUR_MS, expiresAt: Date.now() + 2 * HOUR_MS }),
  },
  'other bytes than the digest that is known': {
    banned: false,
    attestedBytes: (honest) => flip(Buffer.from(honest), 0),
  },
  'the certificate of another member': { banned: true, identity: 'another' },
  'a certificate of nobody': { banned: true, identity: 'foreign' },
};
