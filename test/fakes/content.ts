/** Bytes that are easy to make again and to compare, and the attestations that vouch for them. */
import { createCipheriv, createHash } from 'node:crypto';
import type { Entry } from '@peerage/core/transfer/catalogue.js';
import type { EntryRules, ObjectStore } from '@peerage/core/transfer/store.js';
import {
  type Attestation,
  type SignedAttestation,
  signAttestation,
} from '@peerage/core/trust/attestation.js';
import type { Identity } from '@peerage/core/trust/authority.js';
import { chainHead, PieceHasher } from '@peerage/core/trust/pieces.js';
import { member, signerOf } from './members.js';

/** `sizeBytes` bytes that `seed` determines and that do not repeat. */
export function contentOf(seed: string, sizeBytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** All bytes of a body. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What came of a body before it failed, and the error; fails if it ends well. */
export async function collectBroken(
  body: AsyncIterable<Uint8Array>,
): Promise<{ bytes: Buffer; error: unknown }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
  throw new Error('the body ended well, it should have failed');
}

/** Bytes with one bit changed. */
export function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

export interface Vouched {
  readonly signed: SignedAttestation;
  readonly hashes: Buffer;
}

/** An honest attestation of these bytes, except for what `changes` says otherwise. */
export function vouch(
  url: string,
  content: Buffer,
  changes: Partial<Attestation> = {},
  signer: Identity = member('fetcher'),
): Vouched {
  const hasher = new PieceHasher();
  hasher.update(content);
  const { sha256, hashes } = hasher.digest();
  const now = Date.now();
  const attestation: Attestation = {
    url,
    variant: '*',
    status: 200,
    headers: { 'content-type': 'application/octet-stream', 'cache-control': 'max-age=3600' },
    sizeBytes: content.length,
    sha256,
    chain: chainHead(hashes),
    fetchedAt: now,
    expiresAt: now + 3_600_000,
    tls: true,
    ...changes,
  };
  return { signed: signAttestation(attestation, signerOf(signer)), hashes };
}

/** Puts bytes into a store as a download would. */
export async function keep(
  store: ObjectStore,
  url: string,
  content: Buffer,
  changes: Partial<Attestation> = {},
  rules: EntryRules = { immutable: false, shareable: true },
  signer?: Identity,
): Promise<Entry> {
  const { signed, hashes } = vouch(url, content, changes, signer);
  const incoming = await store.create();
  try {
    await incoming.file.writeFile(content);
    return await store.commit(incoming, hashes, signed, rules);
  } finally {
    await incoming.file.close();
  }
}

/** The whole of an entry, read from the store. */
export function readEntry(store: ObjectStore, entry: Entry): Promise<Buffer> {
  return collect(store.read(entry, 0, entry.attestation.sizeBytes));
}
