/**
 * A flood of hostile packets of one kind at a given rate, and a count of whatever comes back. The
 * kinds are those that get further and further into the gate, from noise to a true packet that was
 * heard before.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { keyId } from '@peerage/core/trust/certificate.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import { atRate, linger } from '../pace.js';
import type { Flood, FloodOrder, FloodResult } from './kinds.js';
import { readOrder, report } from './order.js';

/** Different packets of a kind; they are sent round and round with what must be new in each. */
const DIFFERENT = 2000;
const REPLIES_LAG_MS = 300;

const order = readOrder<FloodOrder>();

function noise(): Buffer {
  return randomBytes(300 + Math.floor(Math.random() * 600));
}

/** What XML parsers choke on, in a frame that looks right from outside. */
function bomb(): Buffer {
  const entities = '<!DOCTYPE a [<!ENTITY a "&b;&b;&b;&b;"><!ENTITY b "&a;&a;">]>'.repeat(12);
  const text = `<service x="${entities}${randomBytes(8).toString('hex')}" y="&amp;&amp;&a;"`;
  return Buffer.from(`${text} sig="${randomBytes(63).toString('base64url')}AA"/>`);
}

const strangerKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
const boot = randomBytes(16).toString('base64url');

/** Right in everything but who signed it. */
function byStranger(number: number, kid: string): Buffer {
  const attributes: Array<readonly [string, string]> = [
    ['type', 'bye'],
    ['version', '1.0'],
    ['group', order.group],
    ['kid', kid],
    ['boot', boot],
    ['seq', String(number + 1)],
    ['ts', String(Date.now() + order.seconds * 500)],
    ['addr', order.address],
    ['port', '6515'],
  ];
  return sealFrame('peerage/packet/v1', attributes, strangerKey);
}

function packetsOf(kind: Flood): Buffer[] {
  if (kind === 'recorded') {
    const lines = readFileSync(order.recordFile, 'utf8').split('\n');
    return lines.map((line) => Buffer.from(line, 'base64'));
  }
  const unknown = keyId(strangerKey);
  const make: Record<Exclude<Flood, 'recorded'>, (number: number) => Buffer> = {
    noise,
    bomb,
    'unknown-key': (number) => byStranger(number, unknown),
    forged: (number) => byStranger(number, order.memberKid),
  };
  return Array.from({ length: DIFFERENT }, (_, number) => make[kind](number));
}

const packets = packetsOf(order.kind);
const socket = createSocket('udp4');
socket.bind(order.packetPort, order.address);
await once(socket, 'listening');
let replies = 0;
socket.on('message', () => {
  replies += 1;
});
const startedAt = performance.now();
const sent = await atRate(order.perSecond, order.seconds, (number) => {
  const packet = packets[number % packets.length];
  if (packet !== undefined) socket.send(packet, order.packetPort, order.victimAddress);
});
const seconds = (performance.now() - startedAt) / 1000;
await linger(REPLIES_LAG_MS);
socket.close();
report({ sent, perSecond: Math.round(sent / seconds), replies } satisfies FloodResult);
