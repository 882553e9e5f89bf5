/**
 * Whether a peer's copy is what was asked for (PROTOCOL §7): the consumer's own rules over what the
 * attestation says. Pure; the attestation's signature and the offer's agreement with it were
 * checked before.
 */
import type { Ask } from './ask.js';
import type { Entry } from './catalogue.js';
import { isFresh, isShareable, validators } from './freshness.js';
import type { PeerOffer } from './peer-fetch.js';

/** An attestation may be this much in the future: clocks differ. */
const FUTURE_TOLERANCE_MS = 60_000;

/** What an offer is held against. */
export interface Wanted {
  readonly ask: Ask;
  /** Our own copy, if there is a stale one: nothing older is taken. */
  readonly local: Entry | undefined;
  /** The copy that bytes were taken from already: others must have the same bytes. */
  readonly adopted: PeerOffer | undefined;
  /** Wall-clock time, milliseconds since 1970. */
  readonly now: number;
}

/** `fresh`: to be taken; `stale`: if the origin says that it is still good; else not at all. */
export function judgeOffer(
  { signed: { attestation } }: PeerOffer,
  { ask, local, adopted, now }: Wanted,
): 'fresh' | 'stale' | 'unsuitable' {
  const { digest, immutable } = ask.policy;
  const variantFits = attestation.variant === '*' || attestation.variant === ask.variant;
  const sameResource = attestation.url === ask.url && attestation.status === 200 && variantFits;
  const older = local !== undefined && attestation.fetchedAt < local.attestation.fetchedAt;
  if (!sameResource || older || !isShareable(attestation.tls, ask.policy)) return 'unsuitable';
  if (adopted !== undefined) {
    return adopted.source.copy.sha256 === attestation.sha256 ? 'fresh' : 'unsuitable';
  }
  const known = digest?.algorithm === 'sha256';
  if (known && digest.hex !== attestation.sha256) return 'unsuitable';
  if (attestation.fetchedAt > now + FUTURE_TOLERANCE_MS) return 'unsuitable';
  if (isFresh(attestation, ask.headers, immutable === true || known, now)) return 'fresh';
  return Object.keys(validators(attestation.headers)).length > 0 ? 'stale' : 'unsuitable';
}
