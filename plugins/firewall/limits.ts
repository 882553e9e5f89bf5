/**
 * Every limit of the plugin, with its unit and its reason.
 *
 * Lists come from strangers, so nothing that is read, kept or told may be unlimited. Limits that an
 * admin has a reason to change are settings instead (`minEntries`, `widest4`, ...).
 */

/** Bytes of one list. The largest in use (a million addresses) is below 20 MB. */
export const MAX_LIST_BYTES = 32 * 1024 * 1024;

/** Lines of one list, comments included; counted before anything is kept of them. */
export const MAX_LINES = 2_000_000;

/** Entries of one list whatever the settings say: more would not fit the plugin's memory. */
export const MAX_ENTRIES = 500_000;

/** Characters of one line; the longest seen (Spamhaus' metadata) has 300. */
export const MAX_LINE_CHARACTERS = 4_096;

/** Characters of a line that a refusal quotes. */
export const QUOTED_CHARACTERS = 60;

/** Lines of attribution kept of a list; FireHOL's heads have 30. */
export const MAX_ATTRIBUTION_LINES = 40;

/** Prefixes that one range may stand for; an unaligned IPv6 range needs at most 254. */
export const MAX_RANGE_PREFIXES = 254;

/** Entries that the status names because they were kept out; all are counted. */
export const MAX_NAMED_ENTRIES = 100;

/** Part of the set that a difference may change; beyond it a whole set costs no more. */
export const MAX_ALTERED_SHARE = 0.2;

/** Time for one run of nft: 500,000 entries take about 5 s on a slow machine. */
export const PROGRAM_TIMEOUT_MS = 60_000;

/** Peers that are tried before and after a change: one that answers is enough. */
export const MAX_PROBED_PEERS = 8;

/** Time for one address to accept or refuse a connection: a LAN answers in milliseconds. */
export const PROBE_TIMEOUT_MS = 1_500;

/** Pause between two rounds of probes while a change waits to be confirmed. */
export const PROBE_PAUSE_MS = 250;

/** Bytes of an archive of rules; Emerging Threats' has 5 MB. */
export const MAX_ARCHIVE_BYTES = 32 * 1024 * 1024;

/** Bytes of its files together, so that a small archive cannot become a full disk. */
export const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

/** Files in an archive of rules; Emerging Threats' has about 60. */
export const MAX_ARCHIVE_FILES = 2_000;
