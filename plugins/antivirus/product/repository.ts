/**
 * The publisher's side of a product feed: a TUF repository in a directory, to be put on any web
 * server, and its keys in another, to be kept away from it.
 *
 *   create ─► add files of a version ─► publish (sign, count up, set expiry) ─► copy to the server
 *
 * Invariant: the timestamp is written last, so a server that is copied to at any moment has a set
 * that fits together. Publishing again without changes renews the expiry, which is what a publisher
 * has to do regularly.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CodedError } from '@peerage/sdk';
import { compareVersions, demandName, realDisk, replaceFile } from '@peerage/update-agent';
import {
  Key,
  Metadata,
  MetaFile,
  Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '@tufjs/models';
import { CATALOGUE_NAME, type Catalogue, parseCatalogue, targetOf } from './catalogue.js';

const SPEC_VERSION = '1.0.34';
const DAY_MS = 24 * 3_600_000;
/** Days until each role has to be signed again. */
const LIFETIME_DAYS = { root: 3650, targets: 365, snapshot: 365, timestamp: 14 };
const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
type Role = (typeof ROLES)[number];

/** What the publisher remembers between commands: beside the keys, not on the server. */
interface Draft {
  readonly versions: Readonly<Record<Exclude<Role, 'root'>, number>>;
  readonly catalogue: Catalogue;
  /** Target to size and digest. */
  readonly targets: Readonly<Record<string, { readonly length: number; readonly sha256: string }>>;
}

export interface PublishOptions {
  readonly now?: Date;
  /** Days until the timestamp expires: how long a feed may be held back unnoticed. */
  readonly timestampDays?: number;
}

export class FeedRepository {
  private readonly directory: string;
  private readonly keys: string;

  constructor(directory: string, keys: string) {
    this.directory = directory;
    this.keys = keys;
  }

  /** Makes keys and the first root. @throws CodedError `E_FEED_EXISTS` */
  async create(now = new Date()): Promise<void> {
    if ((await realDisk.sizeBytes(join(this.keys, 'root.pem'))) !== undefined) {
      throw new CodedError('E_FEED_EXISTS', `${this.keys} has the keys of a feed already`, {
        action: 'choose another directory for keys',
      });
    }
    if ((await realDisk.sizeBytes(join(this.directory, 'metadata', '1.root.json'))) !== undefined) {
      throw new CodedError('E_FEED_EXISTS', `${this.directory} is a feed already, of other keys`, {
        action: 'choose another directory for the new feed; who trusts the old one would refuse it',
      });
    }
    await mkdir(this.keys, { recursive: true, mode: 0o700 });
    for (const name of ['metadata', 'targets']) {
      await mkdir(join(this.directory, name), { recursive: true });
    }
    const root = new Root({
      ...{ version: 1, specVersion: SPEC_VERSION, expires: expiry(now, LIFETIME_DAYS.root) },
      consistentSnapshot: true,
    });
    const secrets = new Map<Role, KeyObject>();
    for (const role of ROLES) {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      await writeFile(join(this.keys, `${role}.pem`), pem, { mode: 0o600 });
      secrets.set(role, privateKey);
      root.addKey(publicPart(publicKey), role);
    }
    const signed = this.signed(new Metadata(root), secrets.get('root'));
    await this.write('1.root.json', signed);
    const versions = { targets: 0, snapshot: 0, timestamp: 0 };
    await this.save({ versions, catalogue: { components: [], recalls: [] }, targets: {} });
    await this.publish({ now });
  }

  /** Takes up files as the newest version of a component; published by {@link publish}. */
  async add(component: string, version: string, files: readonly string[]): Promise<void> {
    demandName('component', component);
    demandName('version', version);
    const { catalogue, targets, ...rest } = await this.load();
    const known = catalogue.components.find(({ name }) => name === component);
    if (known !== undefined && compareVersions(version, known.version) <= 0) {
      throw new CodedError('E_FEED_VERSION', `${component} has version ${known.version} already`, {
        expected: 'a newer version: they only go up',
        action: 'recall the newer one to go back',
      });
    }
    const added: Record<string, { length: number; sha256: string }> = {};
    for (const path of files) {
      const bytes = await readFile(path).catch((cause: unknown) => {
        throw new CodedError('E_USAGE', `${path} cannot be read`, { expected: 'a file', cause });
      });
      const target = targetOf(component, version, demandName('file name', basename(path)));
      added[target] = await this.store(target, bytes);
    }
    const entry = {
      ...{
        name: component,
        version,
        builtAtMs: Date.now(),
        installed: { by: 'reported' } as const,
      },
      files: files.map((path) => basename(path)),
    };
    const others = catalogue.components.filter(({ name }) => name !== component);
    await this.save({
      ...rest,
      catalogue: { ...catalogue, components: [...others, entry] },
      targets: { ...targets, ...added },
    });
  }

  /** Has every node of a version go back to another. */
  async recall(component: string, version: string, backTo: string): Promise<void> {
    const draft = await this.load();
    const recalls = [...draft.catalogue.recalls, { component, version, backTo }];
    await this.save({ ...draft, catalogue: { ...draft.catalogue, recalls } });
  }

  /** Signs everything anew. */
  async publish({ now = new Date(), timestampDays }: PublishOptions = {}): Promise<void> {
    const draft = await this.load();
    const { targets: known, catalogue } = draft;
    const versions = {
      targets: draft.versions.targets + 1,
      snapshot: draft.versions.snapshot + 1,
      timestamp: draft.versions.timestamp + 1,
    };
    const bytes = Buffer.from(`${JSON.stringify(catalogue)}\n`);
    parseCatalogue(bytes);
    const all = { ...known, [CATALOGUE_NAME]: await this.store(CATALOGUE_NAME, bytes) };
    const days = { ...LIFETIME_DAYS, timestamp: timestampDays ?? LIFETIME_DAYS.timestamp };
    const base = (role: Exclude<Role, 'root'>) => {
      return {
        version: versions[role],
        specVersion: SPEC_VERSION,
        expires: expiry(now, days[role]),
      };
    };
    const targets = new Targets(base('targets'));
    for (const [path, { length, sha256 }] of Object.entries(all)) {
      targets.addTarget(new TargetFile({ path, length, hashes: { sha256 } }));
    }
    const targetsJson = await this.signWith('targets', new Metadata(targets));
    await this.write(`${versions.targets}.targets.json`, targetsJson);
    const meta = { 'targets.json': described(versions.targets, targetsJson) };
    const snapshotJson = await this.signWith(
      'snapshot',
      new Metadata(new Snapshot({ ...base('snapshot'), meta })),
    );
    await this.write(`${versions.snapshot}.snapshot.json`, snapshotJson);
    const snapshotMeta = described(versions.snapshot, snapshotJson);
    const timestamp = new Timestamp({ ...base('timestamp'), snapshotMeta });
    await this.save({ ...draft, versions });
    await this.write('timestamp.json', await this.signWith('timestamp', new Metadata(timestamp)));
  }

  /** A file under the name that its content gives it. */
  private async store(target: string, bytes: Buffer): Promise<{ length: number; sha256: string }> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const parts = target.split('/');
    const directory = join(this.directory, 'targets', ...parts.slice(0, -1));
    await mkdir(directory, { recursive: true });
    await replaceFile(realDisk, join(directory, `${sha256}.${parts.at(-1)}`), bytes);
    return { length: bytes.length, sha256 };
  }

  private async signWith(
    role: Role,
    metadata: Metadata<Root | Targets | Snapshot | Timestamp>,
  ): Promise<Buffer> {
    return this.signed(metadata, createPrivateKey(await readFile(join(this.keys, `${role}.pem`))));
  }

  private signed(
    metadata: Metadata<Root | Targets | Snapshot | Timestamp>,
    secret: KeyObject | undefined,
  ): Buffer {
    if (secret === undefined) throw new CodedError('E_FEED_KEYS', 'a key of the feed is missing');
    const { keyID } = publicPart(secret);
    metadata.sign(
      (data) => new Signature({ keyID, sig: sign(null, data, secret).toString('hex') }),
    );
    return Buffer.from(JSON.stringify(metadata.toJSON()));
  }

  private write(name: string, bytes: Buffer): Promise<void> {
    return replaceFile(realDisk, join(this.directory, 'metadata', name), bytes);
  }

  /** @throws CodedError `E_FEED_KEYS` */
  private async load(): Promise<Draft> {
    const bytes = await realDisk.read(join(this.keys, 'draft.json'));
    if (bytes !== undefined) return JSON.parse(bytes.toString('utf8')) as Draft;
    throw new CodedError('E_FEED_KEYS', `${this.keys} has no keys of a feed`, {
      expected: 'the directory that was given to create',
      action: 'give it with --keys',
    });
  }

  private save(draft: Draft): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(draft, undefined, 2)}\n`);
    return replaceFile(realDisk, join(this.keys, 'draft.json'), bytes);
  }
}

function described(version: number, bytes: Buffer): MetaFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return new MetaFile({ version, length: bytes.length, hashes: { sha256 } });
}

function expiry(now: Date, days: number): string {
  return new Date(now.getTime() + days * DAY_MS).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** The public key as the metadata has it; its name is the digest of itself. */
function publicPart(key: KeyObject): Key {
  const { x = '' } = key.export({ format: 'jwk' });
  const value = Buffer.from(x, 'base64url').toString('hex');
  const keyID = createHash('sha256').update(value).digest('hex');
  return new Key({ keyID, keyType: 'ed25519', scheme: 'ed25519', keyVal: { public: value } });
}
