/**
 * Who this node is at the moment. All parts of the node hold this one object and read it when they
 * use it, so that a renewed certificate with a new key is in use everywhere at once.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import type { Identity } from '../trust/authority.js';

export class CurrentIdentity implements Identity {
  private identity: Identity;

  constructor(identity: Identity) {
    this.identity = identity;
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
