/**
 * What a flight has to show to those who follow it: its heads, the signature of every piece, and in
 * the end the attestation. Filled by whoever signs (the flight's node) or verified them (a relay);
 * read by `relay`. Invariants: pieces are recorded in order; waiting ends with every change.
 */
import type { SignedAttestation } from '../trust/attestation.js';
import type { SignedHead } from '../trust/flight.js';
import type { CopyPlace } from './landed-copy.js';

export type TrackState = 'open' | 'ended' | 'failed' | 'unshareable';

export class FlightTrack {
  readonly heads: SignedHead[] = [];
  /** From which piece on each head holds here: a flight that changes hands may go back to an earlier one. */
  readonly headsFrom: number[] = [];
  readonly signatures: Buffer[] = [];
  attestation: SignedAttestation | undefined;
  /** Where the bytes are taken from, if they are those of a copy and not signed piece by piece. */
  copy: CopyPlace | undefined;
  state: TrackState = 'open';
  private waiting: Array<() => void> = [];

  addHead(head: SignedHead): void {
    this.heads.push(head);
    this.headsFrom.push(this.signatures.length);
    this.wake();
  }

  addPiece(signature: Buffer): void {
    this.signatures.push(signature);
    this.wake();
  }

  takeFrom(copy: CopyPlace): void {
    this.copy = copy;
    this.wake();
  }

  end(attestation: SignedAttestation): void {
    this.attestation = attestation;
    this.close('ended');
  }

  close(state: Exclude<TrackState, 'open'>): void {
    if (this.state === 'open') this.state = state;
    this.wake();
  }

  /** Resolves at the next change, or after the time given. */
  change(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, waitMs);
      const entry = done;
      function done() {
        clearTimeout(timer);
        resolve();
      }
      this.waiting.push(entry);
    });
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
