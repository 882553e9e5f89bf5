/**
 * Ranges: which bytes of a resource a client gets (RFC 9110 §14).
 *
 * The core is asked for bytes before the size of the resource is known, so there are two steps:
 * `planSlice` reads the header as if the resource were endless, `resolveSlice` cuts the plan to
 * the size. Several ranges at once, and ranges that make no sense, are answered with the whole
 * resource, which the standard allows.
 */
import parseRange from 'range-parser';

/** What the header asks for. */
export type SlicePlan =
  | { readonly kind: 'whole' }
  | { readonly kind: 'slice'; readonly startByte: number; readonly lengthBytes?: number }
  /** The last bytes: where they start depends on the size. */
  | { readonly kind: 'suffix'; readonly lengthBytes: number };

/** Bytes of a resource of known size; never empty. */
export interface Slice {
  readonly startByte: number;
  readonly lengthBytes: number;
}

const WHOLE: SlicePlan = { kind: 'whole' };

/** Stands for the unknown size: larger than any. */
const ENDLESS_BYTES = Number.MAX_SAFE_INTEGER;

export function planSlice(header: string | undefined): SlicePlan {
  if (header === undefined || header.includes(',')) return WHOLE;
  const ranges = parseRange(ENDLESS_BYTES, header);
  if (ranges === -1 || ranges === -2 || ranges.type.toLowerCase() !== 'bytes') return WHOLE;
  const [range] = ranges;
  if (range === undefined) return WHOLE;
  const lengthBytes = range.end - range.start + 1;
  if (/^bytes=\s*-/i.test(header)) return { kind: 'suffix', lengthBytes };
  const isOpen = range.end === ENDLESS_BYTES - 1;
  return { kind: 'slice', startByte: range.start, ...(isOpen ? {} : { lengthBytes }) };
}

/** The bytes to send, or that there are none; `undefined` for the whole resource. */
export function resolveSlice(
  plan: SlicePlan,
  sizeBytes: number,
): Slice | 'unsatisfiable' | undefined {
  if (plan.kind === 'whole') return undefined;
  const lengthBytes = plan.lengthBytes ?? ENDLESS_BYTES;
  const startByte = plan.kind === 'suffix' ? Math.max(0, sizeBytes - lengthBytes) : plan.startByte;
  if (startByte >= sizeBytes) return 'unsatisfiable';
  return { startByte, lengthBytes: Math.min(lengthBytes, sizeBytes - startByte) };
}
