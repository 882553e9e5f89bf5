/**
 * Shows certificates of every bad kind to a node, on all three ways in: in a packet that is signed
 * with the certificate's key, as the client's certificate of TLS, and at the desk that renews.
 */
import { createPrivateKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { newKeys } from '@peerage/core/trust/authority.js';
import { keyId, spki } from '@peerage/core/trust/certificate.js';
import { channelOf, prove, transcript } from '@peerage/core/trust/enrolment.js';
import { Sealer } from '@peerage/core/wire/seal.js';
import { linger } from '../pace.js';
import type { CertificatesOrder, CertificatesResult, ShownCertificate } from './kinds.js';
import { readOrder, report } from './order.js';

const ANSWER_MS = 5000;
/** The desk takes two attempts a second of one address. */
const DESK_PAUSE_MS = 1100;
const LAST_PACKET_MS = 300;

const order = readOrder<CertificatesOrder>();
const ca = new X509Certificate(order.caPem);

interface Shown extends Omit<ShownCertificate, 'der'> {
  readonly der: Buffer;
  readonly privateKey: KeyObject;
}

/** The DER as PEM, whatever it is. */
function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function packetOf({ der, privateKey }: Shown): Buffer | undefined {
  const sealer = new Sealer({
    group: order.group,
    kid: keyId(privateKey),
    boot: randomBytes(16).toString('base64url'),
    port: 6515,
    key: privateKey,
    certificate: der.toString('base64url'),
  });
  const hello = { client: true, server: true, internet: true, starting: false, peers: 1 } as const;
  return sealer.seal({ type: 'hello', ...hello }, order.address, Date.now(), true);
}

/** What the object server answers a member-only path, and the desk a request to renew. */
async function byTls(
  shown: Shown,
): Promise<{ readonly members: string; readonly renewal: string }> {
  let socket: TLSSocket;
  try {
    const key = shown.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const { host, port } = order;
    socket = connect({
      ...{ host, port, key, cert: pemOf(shown.der), rejectUnauthorized: false },
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
  } catch {
    return { members: 'cannot be shown', renewal: 'cannot be shown' };
  }
  socket.on('error', () => undefined);
  const ready = await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
  void ready;
  if (socket.destroyed) return { members: 'no connection', renewal: 'no connection' };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => socket;
  try {
    const members = await ask(agent, 'GET', '/g/policy');
    const { privateKey } = newKeys();
    const publicKey = spki(privateKey);
    const proof = prove('renew', transcript(channelOf(socket), ca, ''), publicKey, privateKey);
    const body = JSON.stringify({ key: publicKey.toString('base64url'), proof });
    return { members, renewal: await ask(agent, 'POST', '/j/renew', body) };
  } catch {
    return { members: 'cut', renewal: 'cut' };
  } finally {
    socket.destroy();
  }
}

function ask(agent: Agent, method: string, path: string, body = ''): Promise<string> {
  return new Promise((resolve) => {
    const { host, port } = order;
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = request({ host, port, path, method, agent, signal }, (response) => {
      response.on('error', () => resolve('cut')).resume();
      response.on('end', () => resolve(String(response.statusCode)));
    });
    if (body !== '') asked.setHeader('content-length', body.length);
    asked.on('error', () => resolve('cut')).end(body);
  });
}

const socket = createSocket('udp4').bind(order.packetPort, order.address);
await once(socket, 'listening');
const rows: CertificatesResult['rows'][number][] = [];
for (const each of order.certificates) {
  const privateKey = createPrivateKey(each.keyPem);
  const shown = { ...each, der: Buffer.from(each.der, 'base64'), privateKey };
  let sent = false;
  try {
    const bytes = packetOf(shown);
    sent = bytes !== undefined;
    if (bytes !== undefined) socket.send(bytes, order.packetPort, order.host);
  } catch {
    // A key that cannot make a packet's signature at all.
  }
  rows.push({ why: each.why, sent, ...(await byTls(shown)) });
  await linger(DESK_PAUSE_MS);
}
await linger(LAST_PACKET_MS);
socket.close();
report({ rows } satisfies CertificatesResult);
