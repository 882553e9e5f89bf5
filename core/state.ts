/**
 * The state directory: where a node keeps who it is and what it holds. Everything in it is made
 * here or below; its lock says that a node is running in it.
 *
 *   identity.pem   this node's key and certificate in its group, if it is in one
 *   solo.pem       the same for the group of one that it makes for itself at first start
 *   policy.xml     the newest group policy: who is revoked
 *   anchors.pem    the CAs that are believed, once they are others than the one in identity.pem
 *   elections.json  the epochs of elections, and whom the admin pinned or excluded
 *   join.json      where this node joined its group, and renews its certificate
 *   ca/            the CA (ca.pem; next.pem while it changes) and its books, where it was made
 *   store/ plugins/ control.sock status.sock tickets.sock lock
 */
import { randomBytes, type X509Certificate } from 'node:crypto';
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { CodedError, errorCode } from '@peerage/sdk';
import { readElections, type SavedElections } from './peering/saved-elections.js';
import {
  type Authority,
  authorityCertificate,
  authorityFromPem,
  authorityToPem,
  certificatesIn,
  createAuthority,
  type Identity,
  identityFromPem,
  identityToPem,
  issueIdentity,
} from './trust/authority.js';
import { openPolicy } from './trust/group-policy.js';
import { checkRenewable } from './trust/policy.js';

/** A socket's path must fit the system's address structure. */
const SOCKET_PATH_BYTES_MAX = 100;
/** A node that took the lock this lately may not listen yet. */
const STARTING_MS = 30_000;
const SOLO_GROUP = 'solo';
const SOLO_DAYS = 3650;

/** This machine's name as a node's name. */
export function machineName(): string {
  const name = hostname()
    .replace(/[^A-Za-z0-9.-]/g, '-')
    .slice(0, 63);
  return /^[A-Za-z0-9]/.test(name) ? name : `node-${randomBytes(3).toString('hex')}`;
}

/** @throws CodedError `E_STATE_UNUSABLE` */
export async function prepareState(directory: string): Promise<void> {
  if (Buffer.byteLength(join(directory, 'control.sock')) > SOCKET_PATH_BYTES_MAX) {
    throw new CodedError(
      'E_STATE_UNUSABLE',
      `the state directory ${directory} has too long a path`,
      {
        expected: `at most ${SOCKET_PATH_BYTES_MAX} bytes with the name of a socket`,
      },
    );
  }
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new CodedError('E_STATE_UNUSABLE', `the state directory ${directory} cannot be made`, {
      action: 'choose another one with --state',
      cause,
    });
  }
}

/** Takes the lock of the directory; returns how to give it back. @throws CodedError `E_ALREADY_RUNNING` */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock');
  const mine = `${path}.${process.pid}`;
  try {
    await writeFile(mine, String(process.pid), { mode: 0o644 });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (await placeLock(mine, path)) return () => rm(path, { force: true });
      const holder = await readFile(path, 'utf8').catch(() => '');
      const pid = Number(holder);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
      const starting = Date.now() - mtimeMs < STARTING_MS;
      if (isAlive(pid) && (starting || (await answers(join(directory, 'control.sock'))))) {
        throw new CodedError('E_ALREADY_RUNNING', `a node (process ${pid}) runs in ${directory}`, {
          action: 'stop it, or choose another directory with --state',
        });
      }
      await removeStale(path, holder);
    }
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError('E_STATE_UNUSABLE', `${path} cannot be written`, { cause: error });
  } finally {
    await rm(mine, { force: true }).catch(() => undefined);
  }
  throw new CodedError('E_ALREADY_RUNNING', `another node is starting in ${directory}`);
}

/** A lock appears with its content, so that nobody takes a new one for one without an owner. */
async function placeLock(mine: string, path: string): Promise<boolean> {
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock if it is still the one that was judged; two may come to it at once. */
async function removeStale(path: string, judged: string): Promise<void> {
  const aside = `${path}.stale.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  const found = await readFile(aside, 'utf8').catch(() => judged);
  if (found !== judged) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** Whether somebody listens there: after a power cut another program may have the lock's number. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Whether another process with this id runs. */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

async function writeSecret(path: string, text: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there !== undefined && !there.isFile()) {
    // To rename over /dev/stdout, say, would take it from everybody.
    throw new CodedError('E_OUTPUT_UNWRITABLE', `${path} is no plain file`, {
      action: 'choose another file',
    });
  }
  await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
  await chmod(`${path}.new`, 0o600);
  await renameForGood(`${path}.new`, path);
}

/** Renames within a directory, also for a power cut right after: the directory is synced, too. */
async function renameForGood(from: string, to: string): Promise<void> {
  await rename(from, to);
  // Windows syncs no directories.
  const directory = await open(dirname(to), 'r').catch(() => undefined);
  await directory?.sync().catch(() => undefined);
  await directory?.close();
}

function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new CodedError('E_IDENTITY_INVALID', `${path} cannot be read`, { cause: error });
  });
}

/** Who this node is; in a group of one, made at the first start, if nobody enrolled it. */
export async function loadIdentity(
  directory: string,
): Promise<{ identity: Identity; solo: boolean }> {
  const path = join(directory, 'identity.pem');
  const pem = await readOptional(path);
  if (pem !== undefined) {
    const identity = identityFromPem(pem, path, Date.now(), checkRenewable);
    return { identity, solo: false };
  }
  const soloPath = join(directory, 'solo.pem');
  const soloPem = await readOptional(soloPath);
  if (soloPem !== undefined)
    return { identity: identityFromPem(soloPem, soloPath, Date.now()), solo: true };
  const authority = createAuthority(SOLO_GROUP, Date.now());
  const identity = issueIdentity(authority, machineName(), SOLO_DAYS, Date.now());
  await writeSecret(soloPath, identityToPem(identity));
  return { identity, solo: true };
}

/** Makes a CA in the state directory. @throws CodedError `E_CA_EXISTS`, `E_NAME_INVALID` */
export async function makeAuthority(
  directory: string,
  group: string,
  passphrase?: string,
): Promise<Authority> {
  const path = authorityPath(directory);
  if ((await readOptional(path)) !== undefined) {
    throw new CodedError('E_CA_EXISTS', `there is a CA in ${path} already`, {
      action: 'issue certificates with `peerage ca issue NAME`',
    });
  }
  const authority = createAuthority(group, Date.now());
  await mkdir(join(directory, 'ca'), { recursive: true, mode: 0o700 });
  await writeSecret(path, authorityToPem(authority, passphrase));
  return authority;
}

/** Keeps a CA that is to follow the one of this machine; it is not in force yet. */
export async function stageAuthority(
  directory: string,
  next: Authority,
  passphrase: string | undefined,
): Promise<void> {
  await mkdir(join(directory, 'ca'), { recursive: true, mode: 0o700 });
  await writeSecret(nextAuthorityPath(directory), authorityToPem(next, passphrase));
}

/** Puts the CA that was kept in the place of the one before. */
export async function placeAuthority(directory: string): Promise<void> {
  await renameForGood(nextAuthorityPath(directory), authorityPath(directory)).catch((error) => {
    // Another command looked meanwhile and has finished it.
    if (errorCode(error) !== 'ENOENT') throw error;
  });
}

/** A change that was cut off is finished if the policy says already that the next CA is in force. */
async function finishRotation(directory: string): Promise<void> {
  const path = nextAuthorityPath(directory);
  const pem = await readOptional(path);
  const policy = pem === undefined ? undefined : await loadPolicy(directory);
  if (pem === undefined || policy === undefined) return;
  if (openPolicy(policy, [authorityCertificate(pem, path)]).ok) await placeAuthority(directory);
}

/** The CA of this machine. @throws CodedError `E_CA_MISSING`, `E_CA_LOCKED`, `E_IDENTITY_INVALID` */
export async function loadAuthority(directory: string, passphrase?: string): Promise<Authority> {
  return authorityFromPem(await readAuthority(directory), authorityPath(directory), passphrase);
}

/** The CA's certificate, for which no passphrase is needed. @throws as {@link loadAuthority} */
export async function loadAuthorityCertificate(directory: string): Promise<X509Certificate> {
  return authorityCertificate(await readAuthority(directory), authorityPath(directory));
}

/** Whether this machine has a CA. */
export async function hasAuthority(directory: string): Promise<boolean> {
  return (await readOptional(authorityPath(directory))) !== undefined;
}

async function readAuthority(directory: string): Promise<string> {
  await finishRotation(directory);
  const pem = await readOptional(authorityPath(directory));
  if (pem === undefined) {
    throw new CodedError('E_CA_MISSING', `there is no CA in ${directory}`, {
      action: 'make one with `peerage ca init`, or run this on the machine that has it',
    });
  }
  return pem;
}

/** A passphrase: the first line of a file. @throws CodedError `E_CA_LOCKED` */
export async function readPassphrase(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CodedError('E_CA_LOCKED', `the passphrase file ${file} cannot be read`, { cause });
  });
  const [line = ''] = text.split(/\r?\n/);
  if (line !== '') return line;
  throw new CodedError('E_CA_LOCKED', `the passphrase file ${file} is empty`, {
    expected: 'the passphrase on its first line',
  });
}

/** The newest group policy that this node took; `undefined` if there was none yet. */
export async function loadPolicy(directory: string): Promise<Buffer | undefined> {
  const text = await readOptional(join(directory, 'policy.xml'));
  return text === undefined ? undefined : Buffer.from(text);
}

export function savePolicy(directory: string, bytes: Buffer): Promise<void> {
  return writeSecret(join(directory, 'policy.xml'), bytes.toString('utf8'));
}

/**
 * Which CAs are believed besides the one that issued our certificate, or in its place (PROTOCOL
 * §1.9): the issuer first, then those. It holds for that issuer alone.
 */
export function saveAnchors(directory: string, { ca, anchors }: Identity): Promise<void> {
  return writeSecret(join(directory, 'anchors.pem'), [ca, ...anchors].map(String).join(''));
}

/** The CAs to believe at the start. @throws CodedError `E_IDENTITY_INVALID` */
export async function loadAnchors(
  directory: string,
  { ca, anchors }: Identity,
): Promise<readonly X509Certificate[]> {
  const path = join(directory, 'anchors.pem');
  const [issuer, ...saved] = certificatesIn((await readOptional(path)) ?? '', path);
  return issuer?.raw.equals(ca.raw) === true && saved.length > 0 ? saved : anchors;
}

/** What this node knew of its senders' clocks (PROTOCOL §2.4), if anything. */
export async function loadClocks(directory: string): Promise<unknown> {
  const text = await readOptional(join(directory, 'clocks.json'));
  return text === undefined ? undefined : JSON.parse(text);
}

export function saveClocks(directory: string, clocks: readonly unknown[]): Promise<void> {
  return writeSecret(join(directory, 'clocks.json'), JSON.stringify(clocks));
}

/** What the elections must not forget (PROTOCOL §8.6); empty if there is nothing or it is bad. */
export async function loadElections(directory: string): Promise<SavedElections> {
  const text = await readOptional(join(directory, 'elections.json'));
  return readElections(text ?? '{}');
}

export function saveElections(directory: string, saved: SavedElections): Promise<void> {
  return writeSecret(join(directory, 'elections.json'), JSON.stringify(saved));
}

/** Where this node joined. */
export interface JoinedAt {
  readonly host: string;
  readonly port: number;
}

export function saveJoinedAt(directory: string, at: JoinedAt): Promise<void> {
  return writeSecret(join(directory, 'join.json'), JSON.stringify(at));
}

/** Where this node joined; `undefined` if its identity came as a file. */
export async function loadJoinedAt(directory: string): Promise<JoinedAt | undefined> {
  const text = await readOptional(join(directory, 'join.json'));
  try {
    const { host, port } = JSON.parse(text ?? '') as { host?: unknown; port?: unknown };
    return typeof host === 'string' && typeof port === 'number' ? { host, port } : undefined;
  } catch {
    return undefined;
  }
}

export function identityPath(directory: string): string {
  return join(directory, 'identity.pem');
}

/** Writes an identity's bundle, readable by its owner alone. */
export function saveIdentity(path: string, identity: Identity): Promise<void> {
  return writeSecret(path, identityToPem(identity));
}

function authorityPath(directory: string): string {
  return join(directory, 'ca', 'ca.pem');
}

function nextAuthorityPath(directory: string): string {
  return join(directory, 'ca', 'next.pem');
}
