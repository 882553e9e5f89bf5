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
