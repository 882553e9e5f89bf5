/**
 * Every limit of the part for ClamAV, with its unit and its reason. Files come from whoever has
 * them, requests from whoever reaches the mirror's port, so nothing here may be without end.
 */

/** The header of a database. Fixed by the format. */
export const HEADER_BYTES = 512;

/** Largest database, in bytes: main.cvd is 85 MB. */
export const MAX_DATABASE_BYTES = 512 * 1024 * 1024;

/** Largest content of a database once unpacked, in bytes: main.cvd has 250 MB. */
export const MAX_UNPACKED_BYTES = 2 * 1024 * 1024 * 1024;

/** Files in a database; daily.cvd has about 40. */
export const MAX_MEMBERS = 256;

/** The list of contents of a database, in bytes: one line a member. */
export const MAX_CONTENTS_BYTES = 64 * 1024;

/** Largest difference, in bytes: those of a day are below 1 MB, a reorganisation is larger. */
export const MAX_DIFFERENCE_BYTES = 64 * 1024 * 1024;

/** Largest difference once unpacked, in bytes. */
export const MAX_SCRIPT_BYTES = 512 * 1024 * 1024;

/** Differences in a row that are cheaper than the whole database. */
export const MAX_DIFFERENCES = 20;

/** Databases that one node looks after. */
export const MAX_DATABASES = 16;

/** Connections to the mirror at a time: the clients are on this machine. */
export const MAX_CONNECTIONS = 64;

/** Silence after which a client's connection is cut, in milliseconds. */
export const CLIENT_TIMEOUT_MS = 120_000;

/** Time for clamd to load a new database, in milliseconds: main takes 20 s on slow machines. */
export const RELOAD_TIMEOUT_MS = 120_000;

/** Between two questions to clamd whether it has loaded, in milliseconds. */
export const RELOAD_LOOK_MS = 250;

/** An answer of clamd, in bytes; the version is below 100. */
export const MAX_CLAMD_ANSWER_BYTES = 4_096;

/** Time for freshclam, which loads the database for a test, in milliseconds. */
export const FRESHCLAM_TIMEOUT_MS = 600_000;

/** Time for the test load of a database by clamscan, in milliseconds. */
export const TEST_LOAD_TIMEOUT_MS = 300_000;
