/**
 * Somebody else at the other end of `join` (§1.7): whoever it is, the token is not shown to him.
 * Each impostor is a real TLS server that writes down all that it was sent.
 */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { join } from '@peerage/core/membership/join.js';
import {
  type Authority,
  createAuthority,
  type Identity,
  issueIdentity,
} from '@peerage/core/trust/authority.js';
import {
  caHash,
  channelOf,
  newSecret,
  prove,
  type Token,
  transcript,
} from '@peerage/core/trust/enrolment.js';
import { ADDRESS, credentials } from './stage.js';

interface Impostor {
  readonly port: number;
  /** Method and path of every request, and its body. */
  readonly heard: string[];
  close(): Promise<void>;
}

/** What an impostor answers on `/j/ca`. */
type Claim = (socket: TLSSocket) => object;

async function impostor(identity: Identity, claim: Claim, breakOff = false): Promise<Impostor> {
  const heard: string[] = [];
  const server: Server = createServer({ ...credentials(identity) }, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      heard.push(`${request.method} ${request.url} ${body}`.trim());
      if (breakOff) response.setHeader('connection', 'close');
      response.end(JSON.stringify(claim(request.socket as TLSSocket)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const CHALLENGE = 'A'.repeat(22);

/** The answer of whoever has this CA certificate and this key. */
function claimOf(ca: Authority, key = ca.key): Claim {
  return (socket) => {
    const about = transcript(channelOf(socket), ca.certificate, CHALLENGE);
    const proof = prove('authority', about, Buffer.alloc(0), key);
    return { ca: ca.certificate.raw.toString('base64url'), challenge: CHALLENGE, proof };
  };
}

describe('somebody else at the other end of a join', () => {
  const now = Date.now();
  const ours = createAuthority('office', now);
  const foreign = createAuthority('office', now);
  const token: Token = { caHash: caHash(ours.certificate), secret: newSecret() };
  let other: Impostor | undefined;

  afterEach(() => other?.close());

  async function meets(code: string, identity: Identity, claim: Claim): Promise<void> {
    other = await impostor(identity, claim);
    await rejects(join(ADDRESS, other.port, token, now), { code });
    deepEqual(other.heard, ['GET /j/ca']);
  }

  it('a CA of the same name is told by its key and is not shown the token', async () => {
    await meets('E_TOKEN_OTHER_CA', issueIdentity(foreign, 'hub', 30, now), claimOf(foreign));
  });

  it('a stranger who shows our CA certificate is not shown the token', async () => {
    const stranger = issueIdentity(foreign, 'hub', 30, now);
    await meets('E_ENROL_REFUSED', stranger, claimOf(ours, foreign.key));
  });

  it('a member of the group that has not the CA is not shown the token', async () => {
    const member = issueIdentity(ours, 'pc-1', 30, now);
    await meets('E_ENROL_REFUSED', member, claimOf(ours, member.key));
  });

  it('a proof of the CA that was made on another connection does not hold', async () => {
    const member = issueIdentity(ours, 'pc-1', 30, now);
    const about = transcript(Buffer.alloc(32), ours.certificate, CHALLENGE);
    const proof = prove('authority', about, Buffer.alloc(0), ours.key);
    const ca = ours.certificate.raw.toString('base64url');
    await meets('E_ENROL_REFUSED', member, () => ({ ca, challenge: CHALLENGE, proof }));
  });

  it('the CA behind a certificate of somebody else is not shown the token', async () => {
    await meets('E_ENROL_REFUSED', issueIdentity(foreign, 'hub', 30, now), claimOf(ours));
  });

  it('what is no CA at all is told so', async () => {
    const answers = [{}, { ca: 'AAAA' }, { code: 'E_X' }, { ca: 7, challenge: [] }];
    for (const answer of answers) {
      await meets('E_ENROL_REFUSED', issueIdentity(ours, 'hub', 30, now), () => answer);
      await other?.close();
    }
  });

  it('the token is never sent on a second connection', async () => {
    other = await impostor(issueIdentity(ours, 'hub', 30, now), claimOf(ours), true);
    await rejects(join(ADDRESS, other.port, token, now), { code: 'E_ENROL_UNREACHABLE' });
    deepEqual(other.heard, ['GET /j/ca']);
  });

  it('the CA itself may not grant another key or another CA', async () => {
    const hub = issueIdentity(ours, 'hub', 30, now);
    const granted = [
      issueIdentity(ours, 'pc-17', 30, now).certificate,
      issueIdentity(foreign, 'pc-17', 30, now).certificate,
      ours.certificate,
    ];
    for (const certificate of granted) {
      const claim = claimOf(ours);
      other = await impostor(hub, (socket) => ({
        ...claim(socket),
        certificate: certificate.raw.toString('base64url'),
        policy: '',
      }));
      await rejects(join(ADDRESS, other.port, token, now), { code: 'E_ENROL_REFUSED' });
      equal(other.heard.length, 2);
      await other.close();
    }
  });
});
