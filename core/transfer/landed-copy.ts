/**
 * What a download has become: when it is over, or takes the bytes of a copy itself, its node answers
 * with the copy instead of the pieces (PROTOCOL §6.3). A peer wrote it, so it is taken for a copy only if it is one in every part.
 */
import type { Copy } from '../protocol/message.js';
import { PeerFault } from './peer-body.js';

/** A copy, and the kid of the node that has it. */
export interface CopyPlace {
  readonly kid: string;
  readonly copy: Copy;
}

/** Where the bytes of a download come from, as its node says. @throws PeerFault if it is no place */
export function readCopyPlace(text: Buffer): CopyPlace {
  const copy = readCopy(text);
  const { kid } = copy as Copy & { readonly kid?: unknown };
  if (typeof kid === 'string') return { kid, copy };
  throw new PeerFault('lied', 'its copy is nowhere');
}

/** The copy that a download has become, as its node says. @throws PeerFault if it says anything else */
export function readCopy(text: Buffer): Copy {
  try {
    const found = JSON.parse(text.toString('utf8')) as Partial<Record<keyof Copy, unknown>> | null;
    const { alias, attestation, sha256, sizeBytes, fetchedAt, expiresAt } = found ?? {};
    const hex = typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256);
    const known = typeof attestation === 'string' && /^\/a\/[0-9a-f]{64}$/.test(attestation);
    const numbers = [sizeBytes, fetchedAt, expiresAt].every((value) => Number.isSafeInteger(value));
    if (hex && known && numbers && alias === `/o/${sha256}` && Number(sizeBytes) >= 0) {
      return found as Copy;
    }
  } catch {
    // Falls through to the one fault for all that is no copy.
  }
  throw new PeerFault('lied', 'its download became no copy that can be read');
}
