/**
 * The header of a database: 512 bytes of text before the packed content.
 *
 * `ClamAV-VDB:<time>:<version>:<signatures>:<level>:<md5>:<signature>:<builder>:<seconds>`. The
 * signature covers the MD5 alone; the version is covered by the list of contents inside, or by the
 * difference that leads to it.
 */
import { CodedError } from '@peerage/sdk';
import type { ClamavKeys } from './keys.js';
import { HEADER_BYTES } from './limits.js';
import { isDigestSigned } from './signature.js';

export interface DatabaseHeader {
  readonly version: number;
  /** Lower-case hexadecimal MD5 of everything behind the header. */
  readonly md5: string;
  readonly signature: string;
  /** When it was built, milliseconds since 1970; what freshclam compares with `Last-Modified`. */
  readonly builtAtMs: number;
  /** The header as text, without the padding. */
  readonly text: string;
}

/** Reads a header. @throws CodedError `E_CVD_HEADER` */
export function parseHeader(bytes: Uint8Array): DatabaseHeader {
  const text = Buffer.from(bytes.subarray(0, HEADER_BYTES)).toString('latin1').trimEnd();
  const fields = text.split(':');
  const [magic, , version = '', , , md5 = '', signature = '', , seconds = ''] = fields;
  const isSound =
    magic === 'ClamAV-VDB' &&
    /^[\x20-\x7e]+$/.test(text) &&
    /^[1-9][0-9]{0,8}$/.test(version) &&
    /^[0-9]{1,11}$/.test(seconds);
  if (!isSound || fields.length !== 9) throw notDatabase(text);
  return { version: Number(version), md5, signature, builtAtMs: Number(seconds) * 1000, text };
}

/** The 512 bytes of a header. */
export function headerBytes({ text }: Pick<DatabaseHeader, 'text'>): Buffer {
  return Buffer.from(text.padEnd(HEADER_BYTES), 'latin1');
}

/** @throws CodedError `E_CVD_SIGNATURE` if the publisher did not sign this header's MD5 */
export function demandSignedHeader(header: DatabaseHeader, keys: ClamavKeys): void {
  if (isDigestSigned(header.md5, header.signature, keys.header)) return;
  throw new CodedError(
    'E_CVD_SIGNATURE',
    'the header of a database is not signed by its publisher',
    {
      expected: 'a signature by the key of the databases',
      action: 'it was dropped; the next check asks again',
    },
  );
}

function notDatabase(text: string): CodedError {
  const seen = JSON.stringify(text.slice(0, 60));
  return new CodedError('E_CVD_HEADER', `this is no database of ClamAV: ${seen}`, {
    expected: 'ClamAV-VDB and eight further fields',
    action: 'check the source: a portal or an error page may have come in its place',
  });
}
