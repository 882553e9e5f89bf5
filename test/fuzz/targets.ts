/**
 * What is fuzzed. `packets`: both doors (packets, attestations) against mutants, some of them
 * properly signed, as a bad member could; nothing throws, no unsigned mutant is accepted.
 * `differential`: what the gate accepts, the parser reads to exactly the same attributes.
 */
import { sign } from 'node:crypto';
import { SeededRandom } from '@peerage/core/base/random.js';
import { openAttestation, signAttestation } from '@peerage/core/trust/attestation.js';
import { PACKET_LIMITS, type ScanLimits, scanAttributes } from '@peerage/core/wire/scan.js';
import { parseElement } from '@peerage/core/wire/xml.js';
import {
  certificateText,
  MESSAGES,
  makeStage,
  ON_LINK,
  openerFor,
  outcome,
  SENDER_ADDRESS,
  sealerFor,
  WALL_MS,
} from '../wire/stage.js';
import { composeAttributes, mutate } from './mutate.js';
import { count, newReport, note, type Report } from './report.js';

/** One input a second of the door's own clock, so that the verification budget never ends. */
const STEP_MS = 1000;
/** The share of mutants that are signed again: signing and verifying is what costs time. */
const SIGNED = 0.03;

type Target = (seed: number) => Generator<void, void, Report>;

const { sender, receiver, keyring } = makeStage();
const sealer = sealerFor(sender);

function packetCorpus(): Buffer[] {
  return Object.values(MESSAGES).flatMap((message) =>
    [false, true].flatMap((introduce) => {
      const bytes = sealer.seal(message, SENDER_ADDRESS, WALL_MS, introduce);
      return bytes === undefined ? [] : [bytes];
    }),
  );
}

function attestationOf(url: string): Buffer {
  const { kid, name, key } = sender;
  const attestation = {
    url,
    variant: '*',
    status: 200,
    headers: { etag: '"x"', 'content-type': 'text/plain' },
    sizeBytes: 12,
    sha256: 'a'.repeat(64),
    chain: 'b'.repeat(64),
    fetchedAt: WALL_MS,
    expiresAt: WALL_MS,
    tls: true,
  };
  const signer = { kid, name, key, certificate: certificateText(sender) };
  return signAttestation(attestation, signer).bytes;
}

const OPENING_BYTES = '<service '.length;
/** ` sig="`, 86 characters, `"/>`. */
const TAIL_BYTES = 95;
const attributesIn = (frame: Buffer) => frame.subarray(OPENING_BYTES, frame.length - TAIL_BYTES);

/** A body with a signature that holds, as a member could make it. */
function signedFrame(body: Buffer, context: string): Buffer {
  const input = Buffer.concat([Buffer.from(`${context}\0`), body]);
  const signature = sign('sha256', input, { key: sender.key, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([body, Buffer.from(` sig="${signature.toString('base64url')}"/>`)]);
}

function* fuzzPackets(seed: number): Generator<void, void, Report> {
  const random = new SeededRandom(seed);
  const packets = packetCorpus();
  const corpus = [...packets, attestationOf('https://o.example/a?b&c'), attestationOf('http://o/')];
  const bodies = corpus.map((bytes) => bytes.subarray(0, bytes.length - TAIL_BYTES));
  const isOriginal = (input: Buffer) => corpus.some((bytes) => bytes.equals(input));
  const opener = openerFor(receiver, keyring);
  let now = 0;
  for (let report = yield; ; report = yield) {
    const isSigned = random.fraction() < SIGNED;
    const asPacket = random.fraction() < 0.8;
    const context = asPacket ? 'peerage/packet/v1' : 'peerage/attestation/v1';
    const input = isSigned ? signedFrame(mutate(bodies, random), context) : mutate(corpus, random);
    if (isOriginal(input)) continue;
    now += STEP_MS;
    report.inputs += 1;
    try {
      // What is signed may be accepted, and must not make the next one a replay.
      const door = isSigned ? openerFor(receiver, keyring) : opener;
      const result = asPacket
        ? outcome(door.open(input, ON_LINK, now, WALL_MS))
        : outcome(openAttestation(input, keyring));
      count(report, isSigned ? `signed ${result}` : result);
      if (result === 'ok' && !isSigned) note(report, 'accepted', input, 'accepted');
      if (result === 'xml') note(report, 'disagreements', input, 'gate and parser disagree');
    } catch (error) {
      note(report, 'throws', input, String(error));
    }
  }
}

/** The limits of attestations: as large as the gate lets anything through. */
const LARGEST: ScanLimits = { countMax: 24, valueLengthMax: 48 * 1024 };

function* fuzzDifferential(seed: number): Generator<void, void, Report> {
  const random = new SeededRandom(seed);
  const frames = [...packetCorpus(), attestationOf('https://o.example/a?b&c')];
  const corpus = frames.map(attributesIn);
  for (let report = yield; ; report = yield) {
    const composed = random.fraction() < 0.5;
    const base = composed ? [composeAttributes(random)] : corpus;
    const input = composed && random.fraction() < 0.5 ? base[0] : mutate(base, random);
    if (input === undefined) continue;
    report.inputs += 1;
    try {
      const scanned = scanAttributes(input, random.fraction() < 0.5 ? PACKET_LIMITS : LARGEST);
      count(report, outcome(scanned));
      if (!scanned.ok) continue;
      const parsed = parseElement(`<service ${input.toString('utf8')} sig="x"/>`);
      parsed?.delete('sig');
      const read = parsed === undefined ? undefined : JSON.stringify([...parsed]);
      if (read === JSON.stringify([...scanned.value])) continue;
      note(report, 'disagreements', input, `gate ${scanned.value.size}, parser ${read}`);
    } catch (error) {
      note(report, 'throws', input, String(error));
    }
  }
}

export const TARGETS: Readonly<Record<string, Target>> = {
  packets: fuzzPackets,
  differential: fuzzDifferential,
};

/** How many inputs are tried between two looks at the clock. */
const BATCH = 256;

/** Runs a target for as long as `more` says so. */
export function fuzz(target: string, seed: number, more: () => boolean): Report {
  const inputs = TARGETS[target]?.(seed);
  if (inputs === undefined) throw new Error(`${target} is no target`);
  const report = newReport(target, seed);
  inputs.next(report);
  do {
    for (let i = 0; i < BATCH; i += 1) inputs.next(report);
  } while (more());
  return report;
}
