/**
 * Why a packet or document was not accepted. A rejection is a value: it is counted under its
 * reason and never thrown. PROTOCOL §2.4; the reasons are in the order of the checks.
 */
export type RejectionReason =
  | 'length'
  | 'frame'
  | 'encoding'
  | 'attributes'
  | 'version'
  | 'schema'
  | 'own'
  | 'address'
  | 'time'
  | 'replay'
  | 'budget'
  | 'unknown-kid'
  | 'certificate'
  | 'revoked'
  | 'signature'
  | 'xml'
  | 'contradiction';

export interface Rejection {
  readonly ok: false;
  readonly reason: RejectionReason;
}

export interface Accepted<T> {
  readonly ok: true;
  readonly value: T;
}

export type Verdict<T> = Accepted<T> | Rejection;

export function rejected(reason: RejectionReason): Rejection {
  return { ok: false, reason };
}

export function accepted<T>(value: T): Accepted<T> {
  return { ok: true, value };
}
