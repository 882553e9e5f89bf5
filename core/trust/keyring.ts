/**
 * The members whose certificates we know, by kid (PROTOCOL §2.4, §2.5). Self-cleaning: an expired
 * certificate is forgotten when it is next asked for. Invariant: everything in it was judged
 * against the trust anchors; what an anchor that is none any more issued is forgotten with it.
 */
import { X509Certificate } from 'node:crypto';
import { BoundedMap } from '../base/bounded.js';
import type { Keyring, KnownKey } from '../wire/open.js';
import type { Attestation } from './attestation.js';
import { EquivocationWatch } from './equivocation.js';
import { checkNodeCertificate, issuerOf, type NodeCertificate } from './policy.js';

/** Certificates kept; about 3 KB each. */
const CERTIFICATES_MAX = 4096;

/** What is known of the members: their keys, and where it is watched, what they said before. */
export interface Witness extends Keyring {
  /** Whether a verified word agrees with its signer's others. @param id its bytes' SHA-256 */
  agrees?(attestation: Attestation, signer: string, id: string): boolean;
}

interface Anchored {
  readonly anchors: readonly X509Certificate[];
}

export class MemberKeyring implements Witness {
  readonly equivocations = new EquivocationWatch();
  private readonly known = new BoundedMap<string, NodeCertificate>(CERTIFICATES_MAX);
  private revoked: ReadonlySet<string> = new Set();
  private readonly own: Anchored;
  private readonly wallMs: () => number;

  /** @param own whoever has the anchors; they are read at each use */
  constructor(own: Anchored, wallMs: () => number) {
    this.own = own;
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
      this.own.anchors,
      this.wallMs(),
    );
    if (!verdict.ok || verdict.node.kid !== kid) return undefined;
    this.known.set(kid, verdict.node);
    return { name: verdict.node.name, key: verdict.node.certificate.publicKey };
  }

  /** Whether its issuer has our group's name but is no CA that is believed. Never throws. */
  mayFollow(certificate: string): boolean {
    const { anchors } = this.own;
    try {
      const shown = new X509Certificate(Buffer.from(certificate, 'base64url'));
      return shown.issuer === anchors[0]?.subject && issuerOf(shown, anchors) === undefined;
    } catch {
      return false;
    }
  }

  /** From now on exactly these names are revoked; what is not believed any more is forgotten. */
  revoke(names: ReadonlySet<string>): void {
    this.revoked = names;
    for (const [kid, node] of [...this.known]) {
      if (!this.believes(node)) this.known.delete(kid);
    }
  }

  /** Whether a member that was judged before is one still. */
  believes({ name, certificate }: NodeCertificate): boolean {
    return !this.isRevoked(name) && issuerOf(certificate, this.own.anchors) !== undefined;
  }

  agrees(attestation: Attestation, signer: string, id: string): boolean {
    return this.equivocations.agrees(attestation, signer, id);
  }

  isRevoked(name: string): boolean {
    return this.revoked.has(name);
  }
}
