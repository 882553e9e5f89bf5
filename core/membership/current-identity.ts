/**
 * Who this node is at the moment, and which CAs it believes. All parts of the node hold this one
 * object and read it when they use it, so that a renewed certificate with a new key, and a CA that
 * follows another one (PROTOCOL §1.9), are in use everywhere at once.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import type { Identity } from '../trust/authority.js';

export class CurrentIdentity implements Identity {
  private identity: Identity;
  private believed: readonly X509Certificate[];

  constructor(identity: Identity) {
    this.identity = identity;
    this.believed = identity.anchors;
  }

  /** From now on certificates of exactly these CAs are believed, the one in force first. */
  believe(anchors: readonly X509Certificate[]): void {
    this.believed = anchors;
  }

  get anchors(): readonly X509Certificate[] {
    return this.believed;
  }

  /** From now on this is who we are; the name and the group never change. */
  replace(identity: Identity): void {
    this.identity = identity;
  }

  get name(): string {
    return this.identity.name;
  }

  get kid(): string {
    return this.identity.kid;
  }

  get group(): string {
    return this.identity.group;
  }

  get key(): KeyObject {
    return this.identity.key;
  }

  get certificate(): X509Certificate {
    return this.identity.certificate;
  }

  get ca(): X509Certificate {
    return this.identity.ca;
  }
}
