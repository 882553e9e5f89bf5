/**
 * Evil members on one host: each has an identity of the group's CA and an object server of its own,
 * hears what is asked for, says at once that it has it, and then does what its behaviour says. One
 * identity is used for one URL, so that a ban never keeps the next from being tried.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Message, Response } from '@peerage/core/protocol/message.js';
import { type Attestation, signAttestation } from '@peerage/core/trust/attestation.js';
import {
  authorityFromPem,
  createAuthority,
  type Identity,
  issueIdentity,
} from '@peerage/core/trust/authority.js';
import { chainHead, PieceHasher } from '@peerage/core/trust/pieces.js';
import { Sealer } from '@peerage/core/wire/seal.js';
import { content } from '../content.js';
import { BEHAVIOURS, type Behaviour } from './behaviours.js';
import type { EvilOrder } from './kinds.js';
import { readOrder, report } from './order.js';

const order = readOrder<EvilOrder>();
const behaviour: Behaviour = BEHAVIOURS[order.behaviour] ?? { banned: false };
const authority = authorityFromPem(order.authorityPem, 'ca');
const foreign = createAuthority(authority.group, Date.now());

/** One evil member and the one URL that it says to have. */
class Evil {
  readonly identity: Identity;
  private readonly url: string;
  private readonly honest: Buffer;
  private server: Server | undefined;

  constructor(number: number) {
    this.identity = issueIdentity(authority, `${order.prefix}-${number}`, 1, Date.now());
    this.url = `${order.urlPrefix}-${number}${order.urlSuffix}`;
    this.honest = Buffer.concat([...content(`${order.seedPrefix}-${number}`, 0, order.sizeBytes)]);
  }

  /** What it signs, and the list that fits it. */
  private vouch() {
    const bytes = behaviour.attestedBytes?.(this.honest) ?? this.honest;
    const hasher = new PieceHasher();
    hasher.update(bytes);
    const { sha256, hashes } = hasher.digest();
    const now = Date.now();
    const honest: Attestation = {
      url: this.url,
      variant: '*',
      status: 200,
      headers: { 'content-type': 'application/octet-stream', 'cache-control': 'max-age=3600' },
      sizeBytes: bytes.length,
      sha256,
      chain: chainHead(hashes),
      fetchedAt: now,
      expiresAt: now + 3_600_000,
      tls: true,
    };
    const { kid, name, key, certificate } = this.identity;
    const signer = { kid, name, key, certificate: certificate.raw.toString('base64url') };
    const signed = signAttestation({ ...honest, ...behaviour.attested?.(honest) }, signer);
    return { bytes, hashes, attestation: honest, frame: signed.bytes };
  }

  /** Serves what it vouches for, its own way, and says by packet that it has it. */
  async answer(asked: Asked): Promise<void> {
    if (this.server !== undefined) return;
    const { bytes, hashes, attestation, frame } = this.vouch();
    const id = createHash('sha256').update(frame).digest('hex');
    const shown = this.shown();
    const tls = {
      key: shown.key.export({ type: 'pkcs8', format: 'pem' }),
      cert: shown.certificate.toString(),
      requestCert: true,
      rejectUnauthorized: false,
    };
    this.server = createServer(tls, (request, response) => {
      response.on('error', () => undefined);
      const { url = '' } = request;
      if (url.startsWith('/a/')) return response.end(behaviour.frame?.(frame) ?? frame);
      if (url.startsWith('/p/')) return response.end(behaviour.hashes?.(hashes) ?? hashes);
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const rest = bytes.subarray(start);
      if (behaviour.object !== undefined) return behaviour.object(response, rest, request);
      return response.writeHead(206, { 'content-length': rest.length }).end(rest);
    });
    this.server.on('tlsClientError', () => undefined).listen(0, order.address);
    await once(this.server, 'listening');
    const { sizeBytes, sha256, fetchedAt, expiresAt } = attestation;
    const copy = {
      alias: `/o/${sha256}`,
      attestation: `/a/${id}`,
      sizeBytes,
      sha256,
      fetchedAt,
      expiresAt,
    };
    const said = { ...copy, ...behaviour.offered?.(copy) };
    const { port } = this.server.address() as AddressInfo;
    this.say({ type: 'response', ...asked, copy: said, waitedMs: 0 }, port);
  }

  private shown(): Identity {
    if (behaviour.identity === 'another') return issueIdentity(authority, 'another', 1, Date.now());
    if (behaviour.identity !== 'foreign') return this.identity;
    return issueIdentity(foreign, this.identity.name, 1, Date.now());
  }

  private say(response: Response, port: number): void {
    say(this.identity, port, response);
  }
}

/** Sends a packet of a member's to the victim, with its certificate. */
function say(identity: Identity, port: number, message: Message): void {
  const { group, kid, key, certificate } = identity;
  const boot = randomBytes(16).toString('base64url');
  const cert = certificate.raw.toString('base64url');
  const sealer = new Sealer({ group, kid, boot, port, key, certificate: cert });
  const bytes = sealer.seal(message, order.address, Date.now(), true);
  if (bytes !== undefined) own.send(bytes, order.packetPort, order.victimAddress);
}

interface Asked {
  readonly service: string;
  readonly id: number;
  readonly nonce: string;
  readonly to: string;
}

const evils = Array.from({ length: order.count }, (_, number) => new Evil(number));
const own = createSocket('udp4').bind(order.packetPort, order.address);
const shared = createSocket({ type: 'udp4', reuseAddr: true });
shared.bind(order.packetPort, order.broadcast);
await Promise.all([once(own, 'listening'), once(shared, 'listening')]);
shared.on('message', (bytes) => {
  const text = bytes.toString('latin1');
  const value = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(text)?.[1] ?? '';
  const href = value('href').replaceAll('&amp;', '&');
  if (!text.includes(' type="request"') && !text.startsWith('<service type="request"')) return;
  if (!href.startsWith(order.urlPrefix)) return;
  const number = Number.parseInt(href.slice(order.urlPrefix.length + 1), 10);
  const asked = { service: value('service'), id: Number(value('ID')), nonce: value('nonce') };
  void evils[number]?.answer({ ...asked, to: value('kid') });
});
// Who knows of nobody asks nobody: one of them says that it is there.
const greeter = issueIdentity(authority, `${order.prefix}-greeter`, 1, Date.now());
const roles = { client: true, server: true, internet: false, starting: false, peers: 1 };
say(greeter, 6515, { type: 'hello', ...roles });
report({ event: 'ready' });
