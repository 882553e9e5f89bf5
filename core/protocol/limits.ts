/**
 * Every constant of the protocol: unit, value, reason, and the section it comes from. Those that
 * an admin may change are defaults of settings (`core.protocol` in plugins.json).
 */

/** UDP port of packets and TCP port of objects (§1.2). */
export const PACKET_PORT = 1967;
export const OBJECT_PORT = 6515;

/** Largest datagram in bytes (§2.1): fits an Ethernet frame together with any tunnel's header. */
export const PACKET_BYTES_MAX = 1400;

/** Original figures (§1.4): response delay uniform in [0, 2000] ms, the client waits 2200 ms. */
export const CLASSIC_WINDOW_MS = 2000;
export const CLASSIC_DEADLINE_MS = 2200;

/** Round trip assumed before any was measured, and the bounds of the estimate (§4.4). */
export const ROUND_TRIP_INITIAL_MS = 4;
export const ROUND_TRIP_MIN_MS = 1;
export const ROUND_TRIP_MAX_MS = 50;
/** The client's deadline never assumes less than the largest of this many samples (§4.4). */
export const ROUND_TRIP_SAMPLES = 16;

/** Peers assumed before they were ever counted (§4.4). */
export const PEERS_ASSUMED = 256;
/** Shortest response window (§4.4). */
export const WINDOW_MIN_MS = 5;
/** `request` is repeated at these ages while unanswered (§4.4). */
export const REQUEST_REPEATS_MS: readonly number[] = [5, 10];
/** Time beyond the window in which an answer may still be on its way (§4.4). */
export const DEADLINE_SLACK_MS = 12;
/** `end-request` is repeated at most this often when further responses come (§4.4). */
export const END_REPEAT_MS = 4;
/** `response` is repeated once after this time without `end-request` (§4.4). */
export const RESPONSE_REPEAT_MS = 6;

/** A directed request waits max(5, R + 3) ms, and at most 3 candidates are asked (§4.2). */
export const DIRECTED_WAIT_MIN_MS = 5;
export const DIRECTED_WAIT_SLACK_MS = 3;
export const CANDIDATES_MAX = 3;

/** Single flight (§5.3): each next in order waits this much longer, max(5, R + 3) ms. */
export const CLAIM_SLOT_MIN_MS = 5;
export const CLAIM_SLOT_SLACK_MS = 3;
/** A claim is open to objection for max(6, 2.5 R) ms before the Internet is asked (§5.3). */
export const CLAIM_QUIET_MIN_MS = 6;
export const CLAIM_QUIET_ROUND_TRIPS = 2.5;
/** A claim is said again at these ages; then progress is said every second (§5.1). */
export const CLAIM_REPEATS_MS: readonly number[] = [3, 10, 30];
export const PROGRESS_INTERVAL_MS = 1000;
/** Take-over (§5.4): a waiter with nothing waits this long, one with everything not at all. */
export const TAKE_OVER_WAIT_MS = 60;
/** Requesters remembered per URL, URLs, and for how long a request counts as recent (§5.3). */
export const CROWD_MAX = 256;
export const CROWDS_MAX = 1024;
export const CROWD_MEMORY_MS = 400;

/** Beacons: max(10 s, 0.1 s × n) ± 25 % (§2.6); a peer is live for three intervals. */
export const BEACON_INTERVAL_MIN_MS = 10_000;
export const BEACON_PER_PEER_MS = 100;
export const BEACON_JITTER = 0.25;
export const BEACON_LIVE_INTERVALS = 3;
/** Directed hellos that a newly started node draws (§2.6). */
export const WELCOMES_MAX = 8;

/** A grown policy is announced after up to this long, unless so many others did (§1.8). */
export const ANNOUNCE_WINDOW_MS = 1000;
export const ANNOUNCEMENTS_ENOUGH = 3;

/** Bounds of the tables (§9). */
export const MEMBERS_MAX = 1024;
export const HINTS_MAX = 65_536;
export const HOLDERS_PER_HINT_MAX = 3;
export const SEARCHES_MAX = 4096;
export const ANSWERS_MAX = 4096;
export const SPARE_SOURCES_MAX = 8;
/** A finished answer is remembered this long, so that a repeated request draws no second one. */
export const ANSWER_MEMORY_MS = 500;
/** A source that lied or broke off is not used again for this long (§4.6). */
export const BAN_MS = 10 * 60_000;
export const FAILURE_PAUSE_MS = 30_000;
export const BANS_MAX = 1024;

/** Largest request ID (§2.2). */
export const ID_MAX = 0x7fffffff;
