/**
 * `evil`: members that say to have what a node wants, and then misbehave, each in its own way.
 *
 * Thirty behaviours, each tried by so many members, each for a URL of its own. Every download must
 * end with the origin's bytes, whatever happened before; who lied or broke off must be banned, and
 * `status` must say so.
 */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { BEHAVIOURS } from '../attack/behaviours.js';
import { Ground, PACKET_PORT } from '../attack/ground.js';
import type { EvilOrder } from '../attack/kinds.js';
import { launch } from '../attack/launch.js';
import { contentSha256 } from '../content.js';
import { ORIGIN_NAME } from '../lan.js';
import { missingForOrigin, OriginService } from '../origin-service.js';
import { atLeast, equal, type Report } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { until } from '../until.js';

const TIMES = 100;
const SHORT_TIMES = 2;
/** Three pieces: there is something before and after what is wrong. */
const SIZE_BYTES = 600_000;
const BROADCAST = '10.77.0.255';
const READY_MS = 60_000;
const BEHAVIOURS_MIN = 20;

export const evil: Scenario = {
  name: 'evil',
  summary:
    'members that lie, drip, cut and redirect: right bytes all the same, and they are banned',
  missing: missingForOrigin,
  run,
};

interface Tried {
  readonly behaviour: string;
  readonly right: number;
  readonly wrongBytes: number;
  /** Why downloads failed, word by word. */
  readonly failed: string;
  readonly banned: number;
  readonly warned: boolean;
  readonly seconds: number;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const short = options.short === true;
  const times = options.times ?? (short ? SHORT_TIMES : TIMES);
  const names = Object.keys(BEHAVIOURS).filter((name) => !short || BEHAVIOURS[name]?.slow !== true);
  const say = options.say ?? (() => undefined);
  const ground = await Ground.prepare(2);
  try {
    const origin = await OriginService.start(ground.lan.origin, { tls: true });
    ground.configure({ core: { extraCa: origin.certificateFile } });
    await ground.startVictim();
    const rows: Tried[] = [];
    for (const [number, behaviour] of names.entries()) {
      say(`${times} x ${behaviour}`);
      rows.push(await tryBehaviour(ground, number, behaviour, times));
    }
    return report(rows, times);
  } finally {
    await ground.end();
  }
}

async function tryBehaviour(
  ground: Ground,
  number: number,
  behaviour: string,
  times: number,
): Promise<Tried> {
  const startedAt = performance.now();
  const [victim, attacker] = ground.hosts;
  if (victim === undefined || attacker === undefined) throw new Error('there are two hosts');
  const prefix = `evil${number}`;
  const order: EvilOrder = {
    behaviour,
    count: times,
    prefix,
    authorityPem: ground.authorityPem,
    address: attacker.address,
    broadcast: BROADCAST,
    packetPort: PACKET_PORT,
    victimAddress: victim.address,
    urlPrefix: `https://${ORIGIN_NAME}/bytes/${SIZE_BYTES}/${prefix}`,
    urlSuffix: '?cache=max-age%3D3600',
    seedPrefix: prefix,
    sizeBytes: SIZE_BYTES,
  };
  const { program, result } = launch(attacker, 'evil', order);
  result.catch(() => undefined);
  await program.line('the evil are ready', READY_MS, (line) => line.includes('ready') || undefined);
  const acquainted = async () => {
    const peers = JSON.parse(await ground.local('/peers')) as Array<{ readonly name: string }>;
    return peers.some(({ name }) => name === `${prefix}-greeter`) || undefined;
  };
  await until('the node knows that somebody is there', READY_MS, acquainted);
  const known = BEHAVIOURS[behaviour]?.attestedBytes !== undefined;
  const got = await Promise.all(
    Array.from({ length: times }, (_, each) => download(ground, order, each, known)),
  );
  const { lan, warnings } = await ground.status();
  await program.stop();
  return {
    behaviour,
    right: got.filter((outcome) => outcome === 'right').length,
    wrongBytes: got.filter((outcome) => outcome === 'wrong').length,
    failed: got.filter((outcome) => outcome !== 'right' && outcome !== 'wrong').join(' '),
    banned: lan.banned.filter((name) => name.startsWith(`${prefix}-`)).length,
    warned: warnings.some(({ kind, message }) => kind === 'banned' && message.includes(prefix)),
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
  };
}

/** Gets the URL through the node: `right` or `wrong` by what the origin has, or why it failed. */
function download(
  ground: Ground,
  order: EvilOrder,
  number: number,
  digestKnown: boolean,
): Promise<string> {
  const sha256 = contentSha256(`${order.seedPrefix}-${number}`, order.sizeBytes);
  const url = `${order.urlPrefix}-${number}${order.urlSuffix}`;
  const query = new URLSearchParams({ url, ...(digestKnown ? { sha256 } : {}) });
  const socketPath = join(ground.victim.stateDirectory, 'control.sock');
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: `/get?${query}`, agent: false }, (response) => {
      const hash = createHash('sha256');
      let said = '';
      response.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        if (response.statusCode !== 200) said += chunk.toString();
      });
      response.on('error', (error) => resolve(error.message));
      response.on('end', () => {
        if (response.statusCode !== 200) return resolve(said.slice(0, 300));
        resolve(hash.digest('hex') === sha256 ? 'right' : 'wrong');
      });
    });
    asked.on('error', (error) => resolve(error.message)).end();
  });
}

function report(rows: readonly Tried[], times: number): Report {
  const sum = (pick: (row: Tried) => number) => rows.reduce((all, row) => all + pick(row), 0);
  const culprits = rows.filter(({ behaviour }) => BEHAVIOURS[behaviour]?.banned === true);
  const unbanned = culprits
    .filter(({ banned }) => banned < times)
    .map(({ behaviour }) => behaviour);
  const unwarned = culprits.filter(({ warned }) => !warned).map(({ behaviour }) => behaviour);
  return {
    scenario: 'evil',
    options: { times },
    rows: rows.map((row) => ({ ...row })),
    targets: [
      atLeast('behaviours', rows.length, BEHAVIOURS_MIN),
      equal(
        'downloads that ended with wrong bytes',
        sum(({ wrongBytes }) => wrongBytes),
        0,
      ),
      equal(
        'downloads that ended with the right bytes',
        sum(({ right }) => right),
        rows.length * times,
      ),
      equal('behaviours whose culprits were not all banned', unbanned.join('; '), ''),
      equal('behaviours of whose ban status did not warn', unwarned.join('; '), ''),
    ],
    notes: ['what is not among the banned was turned down by its own words, before any byte'],
  };
}
