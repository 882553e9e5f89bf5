/**
 * A publisher of ClamAV databases with keys of its own: what the real one signs, made for a test.
 *
 * A database here has one list of MD5 signatures (`<name>.hdb`), and each version adds lines to it;
 * so a difference is two exchanged lines and some added ones. The formats are those that
 * plugins/antivirus/clamav verifies, and that the real freshclam takes once it trusts these keys.
 */
import {
  constants,
  createHash,
  generateKeyPairSync,
  type KeyObject,
  publicDecrypt,
  sign,
} from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ClamavKeys, RsaKey } from '@peerage/antivirus/clamav/keys.js';
import { power, signatureText } from '@peerage/antivirus/clamav/signature.js';

interface KeyPair {
  readonly public: RsaKey;
  readonly private: KeyObject;
}

const EXPONENTS = { header: 100001027, contents: 100002049, difference: 100002053 };
const BUILDER = 'tester';

/** One version, as it leaves the publisher. */
export interface PublishedVersion {
  readonly version: number;
  readonly database: Buffer;
  /** The way here from the version before. */
  readonly difference: Buffer;
}

export class ClamavPublisher {
  readonly keys: ClamavKeys;
  private readonly pairs: Record<keyof typeof EXPONENTS, KeyPair>;

  constructor() {
    this.pairs = {
      header: pair(1024, EXPONENTS.header),
      contents: pair(2048, EXPONENTS.contents),
      difference: pair(2048, EXPONENTS.difference),
    };
    const { header, contents, difference } = this.pairs;
    this.keys = {
      header: header.public,
      contents: contents.public,
      difference: difference.public,
    };
  }

  /** Versions from 1 on; each adds a signature of the bytes that {@link sampleOf} gives for it. */
  versions(name: string, count: number, options: VersionOptions = {}): PublishedVersion[] {
    const { builtAtSeconds = 1_700_000_000, ballastBytes = 0 } = options;
    let before: Contents | undefined;
    return Array.from({ length: count }, (_, at) => {
      const version = at + 1;
      const seconds = builtAtSeconds + 60 * version;
      const contents = this.contents(name, version, seconds, ballastBytes);
      const database = this.database(contents, version, seconds);
      const difference = this.difference(name, version, before ?? contents, contents);
      before = contents;
      return { version, database, difference };
    });
  }

  /** A database with a header of one's own making, for a forger's tests. */
  withHeader(database: Buffer, change: (fields: string[]) => void): Buffer {
    const fields = database.subarray(0, 512).toString('latin1').trimEnd().split(':');
    change(fields);
    return Buffer.concat([Buffer.from(fields.join(':').padEnd(512)), database.subarray(512)]);
  }

  /** The publisher's signature of a script that a test writes. */
  signScript(version: number, script: string): Buffer {
    const packed = gzipSync(Buffer.from(script, 'latin1'));
    const head = Buffer.from(`ClamAV-Diff:${version}:${Buffer.byteLength(script)}:`);
    const body = Buffer.concat([head, packed]);
    return Buffer.concat([body, Buffer.from(`:${this.signed(body, this.pairs.difference)}`)]);
  }

  private contents(name: string, version: number, seconds: number, ballastBytes: number): Contents {
    const lines = Array.from({ length: version }, (_, at) => hashLine(name, at + 1));
    const files = new Map([[`${name}.hdb`, `${lines.join('\n')}\n`]]);
    if (ballastBytes > 0) files.set(`${name}.hsb`, ballast(ballastBytes));
    const listed = [...files].map(([file, text]) => {
      return `${file}:${text.length}:${createHash('sha256').update(text).digest('hex')}`;
    });
    const head = `ClamAV-VDB:${timeOf(seconds)}:${version}:${version}:60:X:X:${BUILDER}:${seconds}`;
    const info = [head, ...listed];
    const signature = this.signed(Buffer.from(`${info.join('\n')}\n`), this.pairs.contents);
    return { name, lines, files, info: [...info, `DSIG:${signature}`] };
  }

  private database({ name, files, info }: Contents, version: number, seconds: number): Buffer {
    const { packed, md5 } = readable((attempt) => {
      const members: Array<[string, string]> = [
        ['COPYING', `made for a test, attempt ${attempt}\n`],
        [`${name}.info`, `${info.join('\n')}\n`],
        ...files,
      ];
      const packed = gzipSync(Buffer.concat([...members.map(tarMember), Buffer.alloc(1024)]));
      const hash = createHash('md5').update(packed).digest();
      return { packed, md5: hash.toString('hex'), block: hash };
    });
    const { public: key, private: secret } = this.pairs.header;
    const exponent = BigInt(
      `0x${Buffer.from(secret.export({ format: 'jwk' }).d ?? '', 'base64url').toString('hex')}`,
    );
    const signature = signatureText(power(BigInt(`0x${md5}`), exponent, BigInt(key.modulus)));
    const fields = [timeOf(seconds), version, version, 60, md5, signature, BUILDER, seconds];
    return Buffer.concat([Buffer.from(`ClamAV-VDB:${fields.join(':')}`.padEnd(512)), packed]);
  }

  private difference(name: string, version: number, from: Contents, to: Contents): Buffer {
    const exchanged = to.info.flatMap((line, at) => {
      const old = from.info[at] ?? '';
      return old === line ? [] : [`XCHG ${at + 1} ${old.slice(0, 16)} ${line}`];
    });
    const added = to.lines.slice(from.lines.length).map((line) => `ADD ${line}`);
    const script = [
      `OPEN ${name}.info`,
      ...exchanged,
      'CLOSE',
      `OPEN ${name}.hdb`,
      ...added,
      'CLOSE',
    ];
    return this.signScript(version, `${script.join('\n')}\n`);
  }

  private signed(bytes: Buffer, { private: key }: KeyPair): string {
    const { RSA_PKCS1_PSS_PADDING: padding, RSA_NO_PADDING: bare } = constants;
    const { signature } = readable(() => {
      const signature = sign('sha256', bytes, { key, padding, saltLength: 32 });
      return { signature, block: publicDecrypt({ key, padding: bare }, signature) };
    });
    return signatureText(BigInt(`0x${signature.toString('hex')}`));
  }
}

/**
 * Makes what is signed until its block does not begin with a zero byte, which libclamav 1.4 drops, so
 * that it calls one good header in 256, and one PSS signature in 128, corrupt.
 */
function readable<Made extends { readonly block: Buffer }>(make: (attempt: number) => Made): Made {
  for (let attempt = 1; ; attempt += 1) {
    const made = make(attempt);
    if (made.block[0] !== 0) return made;
  }
}

export interface VersionOptions {
  readonly builtAtSeconds?: number;
  /** Bytes of signatures that never match and do not change, so that the whole is large. */
  readonly ballastBytes?: number;
}

interface Contents {
  readonly name: string;
  readonly lines: readonly string[];
  readonly files: ReadonlyMap<string, string>;
  readonly info: readonly string[];
}

/** A file that a database detects from this version on. */
export function sampleOf(name: string, version: number): string {
  return `sample ${version} for ${name}\n`;
}

/** What a scanner calls it. */
export function virusOf(name: string, version: number): string {
  return `Test.${name}.${version}`;
}

function hashLine(name: string, version: number): string {
  const sample = sampleOf(name, version);
  const md5 = createHash('md5').update(sample).digest('hex');
  return `${md5}:${sample.length}:${virusOf(name, version)}`;
}

function ballast(bytes: number): string {
  const lines: string[] = [];
  for (let length = 0, at = 0; length < bytes; at += 1) {
    const line = `${createHash('sha256').update(`ballast ${at}`).digest('hex')}:77:Ballast.${at}`;
    lines.push(line);
    length += line.length + 1;
  }
  return `${lines.join('\n')}\n`;
}

/** As the header has it: no colon inside. */
function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ').replace(':', '-');
}

function tarMember([name, text]: readonly [string, string]): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write('0000000\x000000000\0', 108);
  block.write(`${text.length.toString(8).padStart(11, '0')}\x0000000000000\0`, 124);
  block.write('        0', 148);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (text.length % 512)) % 512);
  return Buffer.concat([block, Buffer.from(text), padding]);
}

function pair(modulusLength: number, publicExponent: number): KeyPair {
  const made = generateKeyPairSync('rsa', { modulusLength, publicExponent });
  const { n = '' } = made.publicKey.export({ format: 'jwk' });
  const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`).toString();
  return { public: { modulus, exponent: String(publicExponent) }, private: made.privateKey };
}
