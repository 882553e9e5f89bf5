/**
 * The joiner's side (PROTOCOL §1.7): make a key, find out that the other end really is the CA of the
 * token, only then show the token, and judge everything that comes back.
 *
 * Invariants: the private key never leaves this machine; nothing secret is sent before the CA's
 * hash matched, the server's own certificate was found to be of that CA, and the CA proved on this
 * very connection that it has its key, so that no other member of the group can sit in between.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { CodedError } from '@peerage/sdk';
import { type Identity, identityOf, newKeys } from '../trust/authority.js';
import { spki } from '../trust/certificate.js';
import {
  caHash,
  channelOf,
  isProof,
  prove,
  readP256,
  type Token,
  tokenMac,
  transcript,
} from '../trust/enrolment.js';
import { openPolicy, type SignedPolicy } from '../trust/group-policy.js';
import { checkNodeCertificate, commonName } from '../trust/policy.js';
import { type Answer, Connection, refusalOf, textOf } from './connection.js';

export interface Joined {
  readonly identity: Identity;
  /** The group policy as it is now, if there is one. */
  readonly policy: SignedPolicy | undefined;
}

/**
 * Joins the group of a token.
 * @throws CodedError `E_TOKEN_OTHER_CA`, `E_ENROL_REFUSED`, `E_ENROL_UNREACHABLE`,
 * `E_ENROL_UNAVAILABLE`, or the CA's own refusal
 */
export async function join(
  host: string,
  port: number,
  token: Token,
  wallMs: number,
): Promise<Joined> {
  const connection = new Connection({ host, port });
  const where = `${host}:${port}`;
  try {
    const opening = await connection.send('GET', '/j/ca');
    if (opening.status !== 200) throw refusalOf(opening, where);
    const ca = judgeAuthority(opening, token, where);
    const challenge = textOf(opening, 'challenge');
    const about = transcript(channelOf(opening.socket), ca, challenge);
    if (!isProof('authority', about, Buffer.alloc(0), ca.publicKey, textOf(opening, 'proof'))) {
      throw refused(`${where} does not prove to have the CA's key`);
    }
    judgeServer(opening, ca, where, wallMs);
    const { privateKey } = newKeys();
    const key = spki(privateKey);
    const answer = await connection.send('POST', '/j/enrol', {
      challenge,
      key: key.toString('base64url'),
      proof: prove('join', about, key, privateKey),
      secret: token.secret.toString('base64url'),
      mac: tokenMac(token.secret, about, key),
    });
    if (answer.status !== 200) throw refusalOf(answer, where);
    return readGrant(answer, privateKey, ca, wallMs);
  } finally {
    connection.close();
  }
}

/** The CA's certificate, if it is the one that the token names. */
function judgeAuthority(opening: Answer, token: Token, where: string): X509Certificate {
  let ca: X509Certificate;
  try {
    ca = new X509Certificate(Buffer.from(textOf(opening, 'ca'), 'base64url'));
  } catch (cause) {
    throw refused(`${where} shows no CA certificate`, cause);
  }
  if (caHash(ca) !== token.caHash) {
    throw new CodedError('E_TOKEN_OTHER_CA', `the token is for another CA than that of ${where}`, {
      expected: `the CA ${token.caHash}, not ${caHash(ca)}`,
      action: 'name the machine on which the token was made; the token was not shown to this one',
    });
  }
  const sound = readP256(spki(ca.publicKey)) !== undefined && ca.ca && ca.verify(ca.publicKey);
  if (!sound || commonName(ca) === undefined) throw refused(`${where} shows an unsound CA`);
  return ca;
}

function judgeServer({ socket }: Answer, ca: X509Certificate, where: string, wallMs: number): void {
  const { raw } = socket.getPeerCertificate();
  const verdict = checkNodeCertificate(raw ?? Buffer.alloc(0), [ca], wallMs);
  if (!verdict.ok) throw refused(`the certificate of ${where} is refused (${verdict.fault})`);
}

/**
 * What the CA granted, judged: a certificate of that CA for our key, and a policy that it signed.
 * @throws CodedError `E_ENROL_REFUSED`
 */
export function readGrant(
  answer: Answer,
  privateKey: KeyObject,
  ca: X509Certificate,
  wallMs: number,
): Joined {
  const der = Buffer.from(textOf(answer, 'certificate'), 'base64url');
  const verdict = checkNodeCertificate(der, [ca], wallMs);
  if (!verdict.ok) throw refused(`the certificate that was issued is ${verdict.fault}`);
  const { certificate, name } = verdict.node;
  if (!spki(certificate.publicKey).equals(spki(privateKey))) {
    throw refused('the certificate that was issued is for another key');
  }
  const identity = identityOf(privateKey, certificate, name, ca);
  const bytes = Buffer.from(textOf(answer, 'policy'), 'base64url');
  if (bytes.length === 0) return { identity, policy: undefined };
  const policy = openPolicy(bytes, [ca]);
  if (!policy.ok) throw refused(`the group policy does not hold (${policy.reason})`);
  return { identity, policy: policy.value };
}

function refused(message: string, cause?: unknown): CodedError {
  return new CodedError('E_ENROL_REFUSED', message, {
    action: 'nothing was written; check the clock, and that this is the right machine',
    cause,
  });
}
