/**
 * What the admin should do something about before it hurts: shown by `status`. Pure over what the
 * parts of the node say of themselves.
 */
import type { PeeringStatus } from '../ports/ports.js';
import type { Equivocation } from '../trust/equivocation.js';

export interface Warning {
  readonly kind:
    | 'clock'
    | 'authority-ends'
    | 'certificate-ends'
    | 'banned'
    | 'equivocation'
    | 'revoked';
  readonly message: string;
}

const DAY_MS = 86_400_000;
/** A CA is not replaced in a day: every machine of the group needs a new certificate. */
const AUTHORITY_WARNING_MS = 180 * DAY_MS;
/** Renewal begins ten days before the end; three days before, something is wrong with it. */
const CERTIFICATE_WARNING_MS = 3 * DAY_MS;

export function warningsOf(facts: {
  readonly about: {
    readonly solo: boolean;
    readonly certificateEnds: string;
    readonly authorityEnds: string;
  };
  readonly lan: Pick<PeeringStatus, 'clock' | 'banned'>;
  readonly equivocations: readonly Equivocation[];
  /** Who tells of a newer group policy and does not give it to this node. */
  readonly withheldBy?: readonly string[];
  readonly now: number;
}): Warning[] {
  const { about, lan, equivocations, withheldBy = [], now } = facts;
  const warnings: Warning[] = [];
  const { clock, banned } = lan;
  if (clock.alarm) {
    const seconds = Math.round(Math.abs(clock.offsetMs) / 1000);
    const way = clock.offsetMs > 0 ? 'behind' : 'ahead of';
    const message = `this machine's clock is ${seconds} s ${way} those of ${clock.senders} peers; set it`;
    warnings.push({ kind: 'clock', message });
  }
  const endsSoon = (ends: string, withinMs: number) => Date.parse(ends) - now < withinMs;
  if (!about.solo && endsSoon(about.authorityEnds, AUTHORITY_WARNING_MS)) {
    const message = `the group's CA ends ${about.authorityEnds.slice(0, 10)}; all its certificates end with it: peerage ca rotate before`;
    warnings.push({ kind: 'authority-ends', message });
  }
  if (!about.solo && endsSoon(about.certificateEnds, CERTIFICATE_WARNING_MS)) {
    const message = `this node's certificate ends ${about.certificateEnds} and was not renewed; is the machine with the CA up?`;
    warnings.push({ kind: 'certificate-ends', message });
  }
  if (withheldBy.length > 0) {
    const message = `${withheldBy.join(', ')} tell of a newer group policy and do not give it to this node: its name may be revoked; ask who has the CA`;
    warnings.push({ kind: 'revoked', message });
  }
  if (banned.length > 0) {
    const message = `left out for a while, for they lied or broke off: ${banned.join(', ')}`;
    warnings.push({ kind: 'banned', message });
  }
  for (const { signer, url, sha256 } of equivocations) {
    const message = `${signer} signed two different contents of ${url}: ${sha256.join(' and ')}; find out why, or revoke it`;
    warnings.push({ kind: 'equivocation', message });
  }
  return warnings;
}
