/**
 * Reads an archive of rules (tar, compressed by gzip) in memory, within limits.
 *
 * Only plain files are taken and only by the last part of their names: an archive can neither name
 * a place outside nor bring a link. A damaged header, a size beyond the end and a missing end are
 * refusals, never a part of the files.
 */
import { gunzipSync } from 'node:zlib';
import { CodedError } from '@peerage/sdk';
import { MAX_ARCHIVE_FILES, MAX_UNPACKED_BYTES } from '../limits.js';

const BLOCK_BYTES = 512;
/** Where the checksum stands in a header; it is computed with blanks there. */
const CHECKSUM = { from: 148, to: 156 };
const PLAIN_FILE = new Set(['0', '\0']);

export interface ArchiveFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** @throws CodedError `E_RULES_INVALID` */
export function readArchive(source: string, packed: Uint8Array): readonly ArchiveFile[] {
  const bytes = unpacked(source, packed);
  const files: ArchiveFile[] = [];
  for (let at = 0; ; ) {
    const header = bytes.subarray(at, at + BLOCK_BYTES);
    if (header.length < BLOCK_BYTES) throw damaged(source, 'it ends before its end');
    if (header.every((byte) => byte === 0)) return files;
    const { name, sizeBytes, type } = headerOf(source, header);
    const from = at + BLOCK_BYTES;
    if (from + sizeBytes > bytes.length) throw damaged(source, `${name} is cut off`);
    if (PLAIN_FILE.has(type)) files.push({ name, bytes: bytes.subarray(from, from + sizeBytes) });
    if (files.length > MAX_ARCHIVE_FILES) throw damaged(source, 'it has too many files');
    at = from + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
}

function unpacked(source: string, packed: Uint8Array): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw damaged(source, `it cannot be unpacked: ${why.slice(0, 100)}`, cause);
  }
}

function headerOf(source: string, header: Buffer) {
  const text = (from: number, to: number) =>
    header.toString('latin1', from, to).replace(/\0[\s\S]*$/, '');
  const octal = (from: number, to: number) => {
    const digits = text(from, to).trim();
    return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
  };
  let sum = 0;
  for (const [at, byte] of header.entries()) {
    sum += at >= CHECKSUM.from && at < CHECKSUM.to ? 0x20 : byte;
  }
  if (octal(CHECKSUM.from, CHECKSUM.to) !== sum) throw damaged(source, 'a header is damaged');
  const sizeBytes = octal(124, 136);
  if (!Number.isSafeInteger(sizeBytes)) throw damaged(source, 'a header has no size');
  const path = text(0, 100);
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { name, sizeBytes, type: header.toString('latin1', 156, 157) };
}

export function damaged(source: string, why: string, cause?: unknown): CodedError {
  return new CodedError('E_RULES_INVALID', `${source}: ${why}`, {
    expected: 'an archive of rules, complete and with the checksum beside it',
    action: 'the rules in force stay; the next check asks again',
    ...(cause === undefined ? {} : { cause }),
  });
}
