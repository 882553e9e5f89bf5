/**
 * A member that asks: a given number of directed requests a second, each with a certificate, and a
 * count of the answers. Its datagrams can be written down, as somebody on the LAN would record them.
 */

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Request } from '@peerage/core/protocol/message.js';
import { identityFromPem } from '@peerage/core/trust/authority.js';
import { Sealer } from '@peerage/core/wire/seal.js';
import { atRate, linger } from '../pace.js';
import type { CallerOrder, CallerResult } from './kinds.js';
import { readOrder, report } from './order.js';

const ANSWERS_LAG_MS = 1500;

const order = readOrder<CallerOrder>();
const pem = readFileSync(order.identityFile, 'utf8');
const identity = identityFromPem(pem, order.identityFile, Date.now());
const sealer = new Sealer({
  group: identity.group,
  kid: identity.kid,
  boot: randomBytes(16).toString('base64url'),
  port: 6515,
  key: identity.key,
  certificate: identity.certificate.raw.toString('base64url'),
});

function requestOf(id: number): Request {
  return {
    type: 'request',
    service: 'url-cache',
    id,
    href: `http://origin.test/asked/${id}`,
    variant: '*',
    cachedOnly: true,
    stale: false,
    internet: false,
    delay: { distribution: 'exponential', windowMs: 0, peers: 2 },
    nonce: randomBytes(16).toString('base64url'),
    to: order.victim.kid,
  };
}

const socket = createSocket('udp4');
socket.bind(order.packetPort, order.address);
await once(socket, 'listening');
const answers = new Set<string>();
socket.on('message', (bytes) => {
  const text = bytes.toString('latin1');
  const id = / type="response"|type="response" /.test(text)
    ? / ID="(\d+)"/.exec(text)?.[1]
    : undefined;
  if (id !== undefined && text.includes(order.victim.kid)) answers.add(id);
});
const recorded: string[] = [];
const sent = await atRate(order.perSecond, order.seconds, (number) => {
  const bytes = sealer.seal(requestOf(number), order.address, Date.now(), true);
  if (bytes === undefined) throw new Error('a request does not fit');
  if (order.recordFile !== undefined) recorded.push(bytes.toString('base64'));
  socket.send(bytes, order.packetPort, order.victim.address);
});
await linger(ANSWERS_LAG_MS);
if (order.recordFile !== undefined) writeFileSync(order.recordFile, recorded.join('\n'));
socket.close();
report({ sent, answered: answers.size, kid: identity.kid } satisfies CallerResult);
