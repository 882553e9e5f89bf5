/**
 * A member that asks the object server for something small, each time on a new connection, and how
 * long it took until the answer was there.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { identityFromPem } from '@peerage/core/trust/authority.js';
import { linger } from '../pace.js';
import type { VisitorOrder, VisitorResult } from './kinds.js';
import { readOrder, report } from './order.js';

const EVERY_MS = 50;
const ANSWER_MS = 5000;

const order = readOrder<VisitorOrder>();
const pem = readFileSync(order.identityFile, 'utf8');
const { key, certificate } = identityFromPem(pem, order.identityFile, Date.now());
const credentials = {
  key: key.export({ type: 'pkcs8', format: 'pem' }),
  cert: certificate.toString(),
};

/** Resolves with the status; 0 if there was no answer. */
function visit(): Promise<number> {
  return new Promise((resolve) => {
    const { host, port, path } = order;
    const how = { agent: false, rejectUnauthorized: false, ...credentials } as const;
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = request({ host, port, path, signal, ...how }, (response) => {
      response.on('error', () => resolve(0));
      response.on('end', () => resolve(response.statusCode ?? 0)).resume();
    });
    asked.on('error', () => resolve(0)).end();
  });
}

const tookMs: number[] = [];
let served = 0;
const endsAt = performance.now() + order.seconds * 1000;
while (performance.now() < endsAt) {
  const startedAt = performance.now();
  if ((await visit()) === 200) served += 1;
  tookMs.push(performance.now() - startedAt);
  await linger(EVERY_MS);
}
tookMs.sort((a, b) => a - b);
const at = (share: number) => Math.round(tookMs[Math.floor(tookMs.length * share)] ?? 0);
report({
  visits: tookMs.length,
  served,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  maxMs: Math.round(tookMs.at(-1) ?? 0),
} satisfies VisitorResult);
