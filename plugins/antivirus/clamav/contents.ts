/**
 * The packed content of a database, judged as it streams by: a gzip of a tar whose list of contents
 * (`<name>.info`) is signed and names every file with size and SHA-256.
 *
 * Invariant: it ends without error only if every file is as the signed list says, the list is of
 * this database and this version, and nothing else is in it. Bounded in files and bytes.
 */
import { createHash, type Hash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import { CodedError } from '@peerage/sdk';
import type { ClamavKeys } from './keys.js';
import { MAX_CONTENTS_BYTES, MAX_MEMBERS, MAX_UNPACKED_BYTES } from './limits.js';
import { isSigned } from './signature.js';

const BLOCK_BYTES = 512;

interface Member {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Judges packed content. @throws CodedError `E_CVD_CONTENTS`, `E_CVD_SIGNATURE`, `E_CVD_VERSION` */
export async function demandSignedContents(
  database: string,
  version: number,
  packed: AsyncIterable<Uint8Array>,
  keys: ClamavKeys,
): Promise<void> {
  const found: Member[] = [];
  let list: string | undefined;
  for await (const { member, text } of members(unpacked(packed), `${database}.info`)) {
    if (found.length >= MAX_MEMBERS) throw bad(`more than ${MAX_MEMBERS} files`);
    found.push(member);
    list ??= text;
  }
  if (list === undefined) throw bad(`no ${database}.info`);
  const listed = readList(list, version, keys);
  for (const { name, sizeBytes, sha256 } of found) {
    if (name === `${database}.info` || name === 'COPYING') continue;
    const said = listed.get(name);
    if (said === undefined || said.sizeBytes !== sizeBytes || said.sha256 !== sha256) {
      throw bad(`${name} is not as its list says`);
    }
    listed.delete(name);
  }
  if (listed.size > 0) throw bad(`${[...listed.keys()].join(', ').slice(0, 100)} missing`);
}

/** The files that the signed list names. */
function readList(text: string, version: number, keys: ClamavKeys): Map<string, Member> {
  const at = text.lastIndexOf('\nDSIG:') + 1;
  const signature = text.slice(at + 'DSIG:'.length).trim();
  if (at === 0 || !isSigned(Buffer.from(text.slice(0, at), 'latin1'), signature, keys.contents)) {
    throw new CodedError('E_CVD_SIGNATURE', 'the list of contents of a database is not signed', {
      expected: 'a signature by the key of the lists',
      action: 'it was dropped; the next check asks again',
    });
  }
  const [head = '', ...lines] = text.slice(0, at).trimEnd().split('\n');
  const stated = head.split(':')[2];
  if (stated !== String(version)) {
    throw new CodedError('E_CVD_VERSION', `a database of version ${stated} came as ${version}`, {
      expected: `version ${version}`,
      action: 'it was dropped; the next check asks again',
    });
  }
  return new Map(
    lines.map((line) => {
      const [name = '', sizeBytes = '', sha256 = ''] = line.split(':');
      return [name, { name, sizeBytes: Number(sizeBytes), sha256 }] as const;
    }),
  );
}

/** The unpacked bytes, as many as a database may have. */
async function* unpacked(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const feeding = feed(packed, gunzip);
  let total = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > MAX_UNPACKED_BYTES) throw bad(`more than ${MAX_UNPACKED_BYTES} bytes`);
      yield chunk;
    }
    await feeding;
  } catch (error) {
    throw error instanceof CodedError ? error : bad('its packing is damaged', error);
  } finally {
    gunzip.destroy();
  }
}

async function feed(
  packed: AsyncIterable<Uint8Array>,
  gunzip: ReturnType<typeof createGunzip>,
): Promise<void> {
  try {
    for await (const chunk of packed) {
      if (gunzip.destroyed) return;
      if (!gunzip.write(chunk)) await drained(gunzip);
    }
    gunzip.end();
  } catch (error) {
    gunzip.destroy(error instanceof Error ? error : undefined);
  }
}

function drained(gunzip: ReturnType<typeof createGunzip>): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      gunzip.off('drain', go).off('close', go);
      resolve();
    };
    gunzip.once('drain', go).once('close', go);
  });
}

/** The files of a tar, hashed; `text` is that of the one that is wanted. */
async function* members(
  chunks: AsyncIterable<Buffer>,
  wanted: string,
): AsyncGenerator<{ member: Member; text: string | undefined }> {
  const reader = new Reader(chunks);
  for (;;) {
    const block = await reader.take(BLOCK_BYTES);
    if (block === undefined) return;
    // What comes behind the end still counts for the digest of the whole.
    if (block.every((byte) => byte === 0)) return reader.drain();
    const name = block.subarray(0, 100).toString('latin1').replace(/\0.*$/s, '');
    const octal = block
      .subarray(124, 136)
      .toString('latin1')
      .replace(/[\0 ]+$/, '');
    if (!/^[0-7]{1,12}$/.test(octal.trim())) throw bad('its tar is damaged');
    const sizeBytes = Number.parseInt(octal.trim(), 8);
    const isWanted = name === wanted;
    if (isWanted && sizeBytes > MAX_CONTENTS_BYTES) throw bad('its list of contents is too long');
    const hash = createHash('sha256');
    const text = await reader.pass(sizeBytes, hash, isWanted);
    await reader.pass((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
    yield { member: { name, sizeBytes, sha256: hash.digest('hex') }, text };
  }
}

/** Takes exact numbers of bytes from chunks of any size. */
class Reader {
  private rest: Buffer = Buffer.alloc(0);
  private readonly chunks: AsyncIterator<Buffer>;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** Exactly that many bytes; `undefined` at the end. */
  async take(bytes: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let left = bytes; left > 0; ) {
      const part = await this.some(left);
      if (part === undefined) return undefined;
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Hashes that many bytes; gives them as text if they are wanted. */
  async pass(bytes: number, hash?: Hash, isWanted = false): Promise<string | undefined> {
    let text = '';
    for (let left = bytes; left > 0; ) {
      const part = await this.some(left);
      if (part === undefined) throw bad('it ends too early');
      hash?.update(part);
      if (isWanted) text += part.toString('latin1');
      left -= part.length;
    }
    return isWanted ? text : undefined;
  }

  /** Reads on to the end. */
  async drain(): Promise<void> {
    while ((await this.some(Number.MAX_SAFE_INTEGER)) !== undefined);
  }

  private async some(atMost: number): Promise<Buffer | undefined> {
    while (this.rest.length === 0) {
      const { done, value } = await this.chunks.next();
      if (done === true) return undefined;
      this.rest = value;
    }
    const part = this.rest.subarray(0, atMost);
    this.rest = this.rest.subarray(part.length);
    return part;
  }
}

function bad(what: string, cause?: unknown): CodedError {
  return new CodedError('E_CVD_CONTENTS', `the content of a database is bad: ${what}`, {
    expected: 'the files that its signed list names',
    action: 'it was dropped; the next check asks again',
    ...(cause === undefined ? {} : { cause }),
  });
}
