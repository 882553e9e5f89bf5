/**
 * The members whose certificates we know, by kid (PROTOCOL §2.4, §2.5). Self-cleaning: an expired
 * certificate is forgotten when it is next asked for. Invariant: everything in it was judged
 * against the pinned CA.
 */
import type { X509Certificate } from 'node:crypto';
import { BoundedMap } from '../base/bounded.js';
import type { Keyring, KnownKey } from '../wire/open.js';
import type { Attestation } from './attestation.js';
import { EquivocationWatch } from './equivocation.js';
import { checkNodeCertificate, type NodeCertificate } from './policy.js';

/** Certificates kept; about 3 KB each. */
const CERTIFICATES_MAX = 4096;

/** What is known of the members: their keys, and where it is watched, what they said before. */
export interface Witness extends Keyring {
  /** Whether a verified word agrees with its signer's others. @param id its bytes' SHA-256 */
  agrees?(attestation: Attestation, signer: string, id: string): boolean;
}

export class MemberKeyring implements Witness {
  readonly equivocations = new EquivocationWatch();
  private readonly known = new BoundedMap<string, NodeCertificate>(CERTIFICATES_MAX);
  private revoked: ReadonlySet<string> = new Set();
  private readonly ca: X509Certificate;
  private readonly wallMs: () => number;

  constructor(ca: X509Certificate, wallMs: () => number) {
    this.ca = ca;
    this.wallMs = wallMs;
  }

  find(kid: string): KnownKey | undefined {
    const node = this.known.touch(kid);
    if (node === undefined) return undefined;
    if (this.wallMs() > node.notAfterMs) {
      this.known.delete(kid);
      return undefined;
    }
    return { name: node.name, key: node.certificate.publicKey };
  }

  learn(kid: string, certificate: string): KnownKey | undefined {
    const verdict = checkNodeCertificate(
      Buffer.from(certificate, 'base64url'),
      this.ca,
      this.wallMs(),
    );
    if (!verdict.ok || verdict.node.kid !== kid) return undefined;
    this.known.set(kid, verdict.node);
    return { name: verdict.node.name, key: verdict.node.certificate.publicKey };
  }

  /** From now on exactly these names are revoked; their keys are forgotten. */
  revoke(names: ReadonlySet<string>): void {
    this.revoked = names;
    for (const [kid, { name }] of [...this.known]) {
      if (names.has(name)) this.known.delete(kid);
    }
  }

  agrees(attestation: Attestation, signer: string, id: string): boolean {
    return this.equivocations.agrees(attestation, signer, id);
  }

  isRevoked(name: string): boolean {
    return this.revoked.has(name);
  }
}
