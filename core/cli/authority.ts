/** The commands of the CA; they work on files alone, a running node is only told what changed. */
import { CodedError, errorCode } from '@peerage/sdk';
import { CERTIFICATE_DAYS } from '../membership/desk.js';
import { Ledger } from '../membership/ledger.js';
import { revokeName } from '../membership/revoke.js';
import { namesOfBefore, retireAuthority, rotateAuthority } from '../membership/rotate.js';
import {
  identityPath,
  loadAuthority,
  loadAuthorityCertificate,
  loadPolicy,
  machineName,
  makeAuthority,
  prepareState,
  readPassphrase,
  saveIdentity,
} from '../state.js';
import { type Authority, checkName, issueIdentity } from '../trust/authority.js';
import { caHash, newSecret, secretHash, tokenText } from '../trust/enrolment.js';
import { type GroupPolicy, openPolicy } from '../trust/group-policy.js';
import { ask } from './client.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';
import { formatTable } from './print.js';

const CERTIFICATE_DAYS_MAX = 3650;
const TTL_DEFAULT = '1h';
const TTL_MAX_MS = 30 * 24 * 60 * 60_000;
const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

type Verb = (line: CommandLine, name: string | undefined) => Promise<number>;

const VERBS: Readonly<Record<string, Verb>> = { init, issue, token, list, revoke, rotate, retire };

/** `peerage ca init|token|list|issue|revoke|rotate|retire`. */
export async function ca(line: CommandLine, verb: string, name: string | undefined) {
  const command = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (command === undefined) throw usage(`ca ${verb} is not known`);
  await prepareState(line.stateDirectory);
  return command(line, name);
}

async function init(line: CommandLine): Promise<number> {
  const { stateDirectory } = line;
  const days = readDays(line);
  const passphrase = await readPassphrase(line.passphraseFile);
  const authority = await makeAuthority(stateDirectory, line.group ?? 'peerage', passphrase);
  const identity = issueIdentity(authority, line.name ?? machineName(), days, Date.now());
  await saveIdentity(identityPath(stateDirectory), identity);
  await new Ledger(stateDirectory).record(identity.certificate, authority.certificate, Date.now());
  const result = { group: authority.group, node: identity.name, kid: identity.kid };
  print(
    line,
    result,
    `group ${authority.group} made; this machine is ${identity.name} in it (restart the node).\nNext, for each other machine: peerage ca token --name NAME here, peerage join HOST TOKEN there.`,
  );
  return 0;
}

async function token(line: CommandLine): Promise<number> {
  const { stateDirectory, name } = line;
  if (name === undefined) throw usage('ca token needs --name NAME');
  checkName(name, 'node');
  const authority = await loadAuthorityCertificate(stateDirectory);
  await refuseRevoked(stateDirectory, name);
  const expiresAt = Date.now() + readTtlMs(line.ttl ?? TTL_DEFAULT);
  const secret = newSecret();
  await new Ledger(stateDirectory).addToken(secretHash(secret), name, expiresAt, Date.now());
  const text = tokenText(authority, secret);
  print(line, { name, token: text, expiresAt: new Date(expiresAt).toISOString() }, text);
  return 0;
}

async function issue(line: CommandLine, name: string | undefined): Promise<number> {
  const { stateDirectory, outputFile } = line;
  if (name === undefined || outputFile === undefined)
    throw usage('ca issue needs NAME and --out FILE');
  const days = readDays(line);
  const passphrase = await readPassphrase(line.passphraseFile);
  const authority = await loadAuthority(stateDirectory, passphrase);
  await refuseRevoked(stateDirectory, name);
  const identity = issueIdentity(authority, name, days, Date.now());
  await new Ledger(stateDirectory).record(identity.certificate, authority.certificate, Date.now());
  await saveIdentity(outputFile, identity);
  print(
    line,
    { node: identity.name, kid: identity.kid, file: outputFile },
    `${name}: ${outputFile} is its key and certificate; place it as identity.pem in its state directory, and keep it secret`,
  );
  return 0;
}

async function list(line: CommandLine): Promise<number> {
  const { stateDirectory } = line;
  const own = caHash(await loadAuthorityCertificate(stateDirectory));
  const ledger = new Ledger(stateDirectory);
  const policy = await policyOf(stateDirectory);
  const revoked = new Set(policy?.revoked.map(({ name }) => name));
  const now = Date.now();
  // Earlier versions did not note the CA: then there was one.
  const first = policy?.change === undefined ? own : '';
  const certificates = (await ledger.issued()).map(({ name, kid, expiresAt, ca = first }) => ({
    name,
    kid,
    expiresAt: new Date(expiresAt).toISOString(),
    ca,
    state: stateOf(revoked.has(name), now > expiresAt, ca === own, policy),
  }));
  const tokens = (await ledger.tokens()).map(({ name, expiresAt, failures, state }) => ({
    name,
    expiresAt: new Date(expiresAt).toISOString(),
    state: state === 'open' && now >= expiresAt ? 'expired' : state,
    failures,
  }));
  const open = tokens.filter(({ state }) => state === 'open');
  const rows = [
    ...certificates.map(({ name, kid, expiresAt, state }) => [name, kid, expiresAt, state]),
    ...open.map(({ name, expiresAt }) => [name, 'token', expiresAt, 'open']),
  ];
  const text = formatTable(['NAME', 'KID', 'EXPIRES', 'STATE'], rows);
  print(line, { certificates, tokens, revoked: [...revoked] }, text);
  return 0;
}

function stateOf(
  revoked: boolean,
  expired: boolean,
  ofThisCa: boolean,
  policy: GroupPolicy | undefined,
): string {
  if (revoked) return 'revoked';
  if (expired) return 'expired';
  if (ofThisCa) return 'good';
  return policy?.change?.previous === undefined ? 'of a retired CA' : 'of the CA before';
}

/** Another CA follows the one of this machine (PROTOCOL §1.9). */
async function rotate(line: CommandLine): Promise<number> {
  const { stateDirectory } = line;
  const passphrase = await readPassphrase(line.passphraseFile);
  const ledger = new Ledger(stateDirectory);
  // Also where the change was made before and cut off: the running node may not know it yet.
  const next = await withAuthority(line, ledger, (authority) => {
    return rotateAuthority(stateDirectory, authority, passphrase);
  }).catch(async (error: unknown) => {
    if (errorCode(error) === 'E_CA_ROTATING') await tellNode(stateDirectory);
    throw error;
  });
  const now = Date.now();
  const tokens = (await ledger.tokens()).filter(({ state, expiresAt }) => {
    return state === 'open' && now < expiresAt;
  });
  const told = await tellNode(stateDirectory);
  const result = { ca: caHash(next.certificate), told, tokensVoid: tokens.map(({ name }) => name) };
  const lines = [
    `the group ${next.group} has a new CA; the one before is believed until \`peerage ca retire\`.`,
    told
      ? 'Running nodes learn it now and have new certificates within minutes; see `peerage ca list`.'
      : 'No node runs here: start it, so that the others learn it and get new certificates.',
    ...(tokens.length === 0 ? [] : [`Void, make them again: ${tokens.length} open token(s).`]),
  ];
  print(line, result, lines.join('\n'));
  return 0;
}

/** The CA before the last change is believed no more. @throws CodedError `E_CA_IN_USE` */
async function retire(line: CommandLine): Promise<number> {
  const { stateDirectory } = line;
  const ledger = new Ledger(stateDirectory);
  const left = await withAuthority(line, ledger, async (authority) => {
    const revoked = await revokedNames(stateDirectory);
    const names = namesOfBefore(await ledger.issued(), authority, Date.now());
    const needing = names.filter((name) => !revoked.has(name));
    if (needing.length > 0 && !line.force) throw inUse(needing);
    await retireAuthority(stateDirectory, authority);
    return needing;
  });
  const told = await tellNode(stateDirectory);
  const out = left.length === 0 ? '' : ` These must join again: ${left.join(', ')}.`;
  print(line, { retired: true, told, left }, `the CA before is believed by nobody any more.${out}`);
  return 0;
}

function unknownName(name: string): CodedError {
  return new CodedError('E_REVOKE_UNKNOWN', `no certificate or token was given here to ${name}`, {
    expected: 'a name that `peerage ca list` shows',
    action: 'if its certificate was made elsewhere, revoke it with --force: that is for good',
  });
}

function inUse(names: readonly string[]): CodedError {
  return new CodedError('E_CA_IN_USE', `certificates of the CA before: ${names.join(', ')}`, {
    expected: 'every machine has one of the new CA, or its old one has ended',
    action: 'start those machines and wait for a minute; with --force they must join again',
  });
}

/** Changes something by the CA as it is once it is our turn: another command may be changing it. */
async function withAuthority<T>(
  line: CommandLine,
  ledger: Ledger,
  change: (authority: Authority) => Promise<T>,
): Promise<T> {
  const passphrase = await readPassphrase(line.passphraseFile);
  return ledger.change(async () => change(await loadAuthority(line.stateDirectory, passphrase)));
}

async function revoke(line: CommandLine, name: string | undefined): Promise<number> {
  if (name === undefined) throw usage('ca revoke needs NAME');
  checkName(name, 'node');
  const { stateDirectory } = line;
  const ledger = new Ledger(stateDirectory);
  const given = [...(await ledger.issued()), ...(await ledger.tokens())];
  const known = given.some((each) => each.name === name);
  // A revoked name is revoked for good: a slip of the finger must not cost one.
  if (!known && !line.force) throw unknownName(name);
  const policy = await withAuthority(line, ledger, (authority) => {
    return revokeName(stateDirectory, authority, name);
  });
  const told = await tellNode(stateDirectory);
  const spread = told
    ? 'the running node tells the others now'
    : 'no node runs here: it is told to the others when one is started';
  print(
    line,
    { revoked: name, version: policy.version, known, told },
    `${name} is revoked (policy ${policy.version}); ${spread}`,
  );
  return 0;
}

/** Makes the running node read the policy anew; false if none runs. */
async function tellNode(stateDirectory: string): Promise<boolean> {
  try {
    await ask(stateDirectory, 'POST', '/policy/reload');
    return true;
  } catch (error) {
    if (errorCode(error) === 'E_NOT_RUNNING') return false;
    throw error;
  }
}

async function policyOf(stateDirectory: string): Promise<GroupPolicy | undefined> {
  const bytes = await loadPolicy(stateDirectory);
  if (bytes === undefined) return undefined;
  const verdict = openPolicy(bytes, [await loadAuthorityCertificate(stateDirectory)]);
  return verdict.ok ? verdict.value.policy : undefined;
}

async function revokedNames(stateDirectory: string): Promise<Set<string>> {
  const policy = await policyOf(stateDirectory);
  return new Set(policy?.revoked.map(({ name }) => name));
}

async function refuseRevoked(stateDirectory: string, name: string): Promise<void> {
  if (!(await revokedNames(stateDirectory)).has(name)) return;
  throw new CodedError('E_REVOKED', `${name} is revoked in this group`, {
    action: 'give the machine another name',
  });
}

function readDays(line: CommandLine): number {
  const days = Number(line.days ?? CERTIFICATE_DAYS);
  if (Number.isInteger(days) && days >= 1 && days <= CERTIFICATE_DAYS_MAX) return days;
  throw usage(`--days must be a whole number from 1 to ${CERTIFICATE_DAYS_MAX}`);
}

function readTtlMs(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const durationMs = Number(count) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  if (durationMs > 0 && durationMs <= TTL_MAX_MS) return durationMs;
  throw usage('--ttl must be a number with s, m, h or d, at most 30d');
}
