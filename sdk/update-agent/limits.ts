/**
 * Every limit of the update agent, with its unit and its reason. What comes from a feed, a peer or
 * a command is held against these before anything is kept of it.
 */

/** Components of one feed; the largest known product has a dozen. */
export const MAX_COMPONENTS = 64;

/** Files of one component; ClamAV's daily with 90 differences is the largest known. */
export const MAX_FILES = 128;

/** Bytes of one file where its feed says nothing: main.cvd is 85 MB. */
export const MAX_FILE_BYTES = 512 * 1024 * 1024;

/** Versions of one component that are kept: in force, the one before, and one pinned. */
export const MAX_KEPT_VERSIONS = 3;

/** Recalls that are remembered; each names one bad version. */
export const MAX_RECALLS = 64;

/** Length of names and versions in characters: they are parts of paths and of packets. */
export const MAX_NAME_CHARACTERS = 64;

/** Length of a URL in characters; the core asks peers for no longer ones. */
export const MAX_URL_CHARACTERS = 700;

/** Time one file may take without a single byte arriving, in milliseconds. */
export const STALL_TIMEOUT_MS = 120_000;

/** News of other nodes that wait to be looked at; one for each component is what is used. */
export const MAX_NEWS = MAX_COMPONENTS;

/** Time between two questions for news that are answered, in milliseconds: 10,000 may ask. */
export const ANSWER_INTERVAL_MS = 3_000;

/** A provider that has been asked and says nothing for this long is done without. */
export const SILENCE_MS = 60_000;

/** An office is given away at most this often: where nobody reaches the origin it would go round. */
export const CUT_OFF_PAUSE_MS = 30 * 60_000;
