/**
 * Whether a file is what it claims to be: a database or a difference of the publisher's, of this
 * name and this version. The only way into the shelf, the mirror and the LAN.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { CodedError } from '@peerage/sdk';
import { demandSignedContents } from './contents.js';
import { type DatabaseHeader, demandSignedHeader, parseHeader } from './header.js';
import type { ClamavKeys } from './keys.js';
import { HEADER_BYTES, MAX_DIFFERENCE_BYTES, MAX_SCRIPT_BYTES } from './limits.js';
import { isSigned } from './signature.js';

/** Judges a whole database. @throws CodedError `E_CVD_*` */
export async function verifyDatabase(
  path: string,
  database: string,
  version: number,
  keys: ClamavKeys,
): Promise<DatabaseHeader> {
  const header = await readHeader(path);
  demandVersion(header.version, version);
  demandSignedHeader(header, keys);
  const hash = createHash('md5');
  const body = createReadStream(path, { start: HEADER_BYTES, highWaterMark: 256 * 1024 });
  await demandSignedContents(database, version, hashed(body, hash), keys);
  if (hash.digest('hex') !== header.md5) {
    throw new CodedError('E_CVD_CONTENTS', `${database} is not what its header describes`, {
      expected: `MD5 ${header.md5}`,
      action: 'it was dropped; the next check asks again',
    });
  }
  return header;
}

/** The header of a file. @throws CodedError `E_CVD_HEADER` */
export async function readHeader(path: string): Promise<DatabaseHeader> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return parseHeader(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/**
 * Judges the difference that leads to `version`: signed as a whole, of this version, and for this
 * database by what it opens. @throws CodedError `E_CDIFF_*`
 */
export async function verifyDifference(
  bytes: Buffer,
  database: string,
  version: number,
  keys: ClamavKeys,
): Promise<void> {
  // An empty one says to others "take the whole": only the mirror may say so, to its own client.
  if (bytes.length === 0 || bytes.length > MAX_DIFFERENCE_BYTES) {
    throw badDifference('E_CDIFF_FORMAT', `a difference of ${bytes.length} bytes`);
  }
  const colon = bytes.lastIndexOf(':');
  const signature = bytes
    .subarray(colon + 1)
    .toString('latin1')
    .trim();
  if (colon < 0 || !isSigned(bytes.subarray(0, colon), signature, keys.difference)) {
    throw badDifference('E_CDIFF_SIGNATURE', 'a difference is not signed by its publisher');
  }
  const head = /^ClamAV-Diff:([0-9]{1,9}):[0-9]{1,12}:/.exec(
    bytes.subarray(0, 64).toString('latin1'),
  );
  if (head === null) throw badDifference('E_CDIFF_FORMAT', 'a difference without its head');
  if (head[1] !== String(version)) {
    throw badDifference(
      'E_CDIFF_VERSION',
      `the difference to ${head[1]} came as that to ${version}`,
    );
  }
  await demandName(bytes.subarray(head[0].length, colon), database);
}

/** The script inside opens files of the database that it is for, and no other's. */
async function demandName(packed: Buffer, database: string): Promise<void> {
  const opened = new Set<string>();
  let total = 0;
  let rest = '';
  const gunzip = createGunzip();
  gunzip.end(packed);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > MAX_SCRIPT_BYTES) break;
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = (lines.pop() ?? '').slice(0, 512);
      for (const line of lines) {
        if (line.startsWith('OPEN ')) opened.add(line.slice('OPEN '.length).split('.')[0] ?? '');
      }
    }
  } catch {
    throw badDifference('E_CDIFF_FORMAT', 'a difference whose packing is damaged');
  }
  if (total > MAX_SCRIPT_BYTES) {
    throw badDifference('E_CDIFF_FORMAT', `a difference of more than ${MAX_SCRIPT_BYTES} bytes`);
  }
  if (!opened.has(database)) {
    const [other = 'nothing'] = opened;
    throw badDifference(
      'E_CDIFF_NAME',
      `a difference for ${other.slice(0, 40)} came for ${database}`,
    );
  }
}

async function* hashed(
  chunks: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function demandVersion(found: number, wanted: number): void {
  if (found === wanted) return;
  throw new CodedError('E_CVD_VERSION', `a database of version ${found} came as ${wanted}`, {
    expected: `version ${wanted}`,
    action: 'it was dropped; the next check asks again',
  });
}

function badDifference(code: string, what: string): CodedError {
  return new CodedError(code, what, {
    expected: 'a difference by the publisher, for this database and version',
    action: 'it was dropped; the whole database is taken in its place',
  });
}
