/**
 * The version of packets and signed documents, MAJOR.MINOR (PROTOCOL §2.2). A newer minor version
 * only adds: what we know in it means what it says, and what we do not know is passed over, so that
 * nodes of neighbouring versions work together while a group is being updated. Another major version
 * is another protocol: nothing of it is read.
 */
const MAJOR = 1;
const MINOR = 0;
const PATTERN = /^(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})$/;

/** What this node writes. */
export const FORMAT_VERSION = `${MAJOR}.${MINOR}`;

/** Whether what carries this version may be read here. */
export function isReadable(version: string | undefined): boolean {
  return Number(PATTERN.exec(version ?? '')?.[1]) === MAJOR;
}

/** Whether it may say more than this node knows. */
export function isNewer(version: string | undefined): boolean {
  return isReadable(version) && Number(PATTERN.exec(version ?? '')?.[2]) > MINOR;
}
