/** ClamAV's files, genuine and forged, judged without ClamAV. */
import { equal, ok, rejects } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PUBLISHER_KEYS } from '@peerage/antivirus/clamav/keys.js';
import {
  isSigned,
  power,
  signatureNumber,
  signatureText,
} from '@peerage/antivirus/clamav/signature.js';
import { verifyDatabase, verifyDifference } from '@peerage/antivirus/clamav/verify.js';
import { useScratch } from '../../fakes/scratch.js';
import { publisher, versionOf } from './clamav-origin.js';

const { keys } = publisher;

describe('antivirus: databases of ClamAV', () => {
  const scratch = useScratch();

  function file(bytes: Buffer): string {
    const path = scratch('file');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  }

  function changed(bytes: Buffer, at: number): Buffer {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  }

  it('passes every version of the publisher', async () => {
    for (const version of [1, 3, 6]) {
      const path = file(versionOf(version).database);
      const header = await verifyDatabase(path, 'test', version, keys);
      equal(header.version, version);
    }
  });

  const { database } = versionOf(3);
  const forged: Array<[what: string, bytes: () => Buffer, code: string]> = [
    ['with a byte of its content flipped', () => changed(database, 700), 'E_CVD_CONTENTS'],
    [
      'with a byte at its end flipped',
      () => changed(database, database.length - 3),
      'E_CVD_CONTENTS',
    ],
    ['that is truncated', () => database.subarray(0, database.length - 40), 'E_CVD_CONTENTS'],
    ['that is only a header', () => database.subarray(0, 512), 'E_CVD_CONTENTS'],
    [
      'with more behind its end',
      () => Buffer.concat([database, Buffer.from('x')]),
      'E_CVD_CONTENTS',
    ],
    ['that is a portal page', () => Buffer.from('<html>log in</html>'), 'E_CVD_HEADER'],
    ['that is empty', () => Buffer.alloc(0), 'E_CVD_HEADER'],
    [
      'with another signature',
      () => withHeader((fields) => (fields[6] = 'aaaa')),
      'E_CVD_SIGNATURE',
    ],
    [
      'with the MD5 of another',
      () => withHeader((fields) => (fields[5] = 'ab'.repeat(16))),
      'E_CVD_SIGNATURE',
    ],
    ['with the content of another', () => mixed(), 'E_CVD_VERSION'],
  ];
  const withHeader = (change: (fields: string[]) => void) => publisher.withHeader(database, change);
  const mixed = () => publisher.withHeader(versionOf(2).database, (fields) => (fields[2] = '3'));

  for (const [what, bytes, code] of forged) {
    it(`refuses one ${what}`, async () => {
      await rejects(verifyDatabase(file(bytes()), 'test', 3, keys), { code });
    });
  }

  it('refuses an older version that came as a newer one', async () => {
    await rejects(verifyDatabase(file(versionOf(2).database), 'test', 3, keys), {
      code: 'E_CVD_VERSION',
    });
  });

  it('refuses one under the name of another', async () => {
    await rejects(verifyDatabase(file(database), 'daily', 3, keys), { code: 'E_CVD_CONTENTS' });
  });

  it("refuses a stranger's key, which ours is for the real publisher", async () => {
    await rejects(verifyDatabase(file(database), 'test', 3, PUBLISHER_KEYS), {
      code: 'E_CVD_SIGNATURE',
    });
  });
});

describe('antivirus: differences of ClamAV', () => {
  const { difference } = versionOf(3);

  it('passes those of the publisher', async () => {
    await verifyDifference(difference, 'test', 3, keys);
  });

  const flipped = Buffer.from(difference);
  flipped[60] = (flipped[60] ?? 0) ^ 1;
  const bad: Array<[what: string, bytes: Buffer, code: string]> = [
    ['with a byte flipped', flipped, 'E_CDIFF_SIGNATURE'],
    ['that is truncated', difference.subarray(0, -30), 'E_CDIFF_SIGNATURE'],
    ['that is empty, though mirrors may say so', Buffer.alloc(0), 'E_CDIFF_FORMAT'],
    ['that leads to another version', versionOf(2).difference, 'E_CDIFF_VERSION'],
    ['for another database', publisher.signScript(3, 'OPEN daily.info\nCLOSE\n'), 'E_CDIFF_NAME'],
    ['that opens nothing', publisher.signScript(3, 'CLOSE\n'), 'E_CDIFF_NAME'],
    ['that is a portal page', Buffer.from('<html>a: b</html>'), 'E_CDIFF_SIGNATURE'],
  ];
  for (const [what, bytes, code] of bad) {
    it(`refuses one ${what}`, async () => {
      await rejects(verifyDifference(bytes, 'test', 3, keys), { code });
    });
  }

  it("refuses a stranger's key", async () => {
    await rejects(verifyDifference(difference, 'test', 3, PUBLISHER_KEYS), {
      code: 'E_CDIFF_SIGNATURE',
    });
  });
});

describe('antivirus: signatures of ClamAV', () => {
  it('reads the digits that it writes, and refuses others', () => {
    equal(signatureNumber(signatureText(123_456_789_012_345n)), 123_456_789_012_345n);
    for (const text of ['', 'ab-c', 'a'.repeat(401)]) equal(signatureNumber(text), undefined);
  });

  it('opens to blocks that the real libclamav can read, whatever the publisher signs', () => {
    const { modulus, exponent } = keys.difference;
    for (let at = 0; at < 200; at += 1) {
      const difference = publisher.signScript(1, `OPEN test.info\nCLOSE\n${at}`);
      const text = difference.toString('latin1').split(':').at(-1) ?? '';
      const block = power(signatureNumber(text) ?? 0n, BigInt(exponent), BigInt(modulus));
      ok(block >> 2040n > 0n, `block ${at} begins with a zero byte`);
    }
  });

  it('refuses a number as large as the modulus', () => {
    const text = signatureText(BigInt(keys.contents.modulus));
    equal(isSigned(Buffer.from('x'), text, keys.contents), false);
  });
});
