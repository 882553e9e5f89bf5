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
/** A live candidate that answered nothing is asked again and waited for so long before a miss (§4.2). */
export const PATIENCE_MS = 200;

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
/** Flights that meet are compared in steps of this size, that of a piece (§5.3, §6.3). */
export const FLIGHT_STEP_BYTES = 256 * 1024;
/** A node without Internet waits for others to claim until this much has passed in all (§5.3). */
export const WATCH_MAX_MS = 5000;
/** At least so long, so that who answered in vain has forgotten it when the request comes again. */
export const WATCH_MIN_MS = 600;
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

/** Election (§8.5): a claim is open to objection for max(6, 2.5 R) ms. */
export const ELECTION_QUIET_MIN_MS = 6;
export const ELECTION_QUIET_ROUND_TRIPS = 2.5;
/** Each class waits so much of the window T longer than the one above (§8.5). */
export const ELECTION_CLASS_SHARE = 0.5;
/** `result` is said at these ages, then as heartbeat: at 5 % loss 5 copies reach 10,000 (§8.5). */
export const RESULT_REPEATS_MS: readonly number[] = [0, 10, 30, 70, 150];
/** A provider answers claims at most this often (§8.6). */
export const RESULT_ANSWER_MS = 5;
/** Heartbeat; a lease outlives three of them (§8.7). */
export const HEARTBEAT_MS = 500;
export const LEASE_HEARTBEATS = 3.5;
/** A lease is never believed longer than this, whatever a provider says. */
export const LEASE_MAX_MS = 60_000;
/** Between provider and backup; so many missed ones, then probes, then take-over (§8.7). */
export const KEEP_ALIVE_MS = 100;
export const KEEP_ALIVE_MISSES = 2;
export const KEEP_ALIVE_SLACK_MS = 6;
export const PROBES = 3;
export const PROBE_INTERVAL_MS = 10;
/** A provider gives up a backup that left this many keep-alives unanswered. */
export const BACKUP_MISSES = 5;
/** While nothing was asked for this long, everything periodic is this much slower (§8.7). */
export const ELECTION_ACTIVE_MS = 10_000;
export const ELECTION_IDLE_FACTOR = 10;
/** A timer that comes later than this says more about this node than about the others (§8.7). */
export const LATE_MS = 50;
/** Backups stand by after a wait over max(1 s, n × 1 ms), so that the best one is first (§8.7). */
export const STANDBY_WINDOW_MIN_MS = 1000;
export const STANDBY_PER_PEER_MS = 1;
/** On a lease that ran out the provider is probed so often, at this distance, before a claim. */
export const LEASE_PROBES = 2;
export const LEASE_PROBE_MS = 6;
/** Who resigned does not stand again for this long, unless called. */
export const RESIGNED_MS = 60_000;
/** The claims of a node that claimed and announced nothing are ignored for this long. */
export const BROKEN_CLAIM_MS = 60_000;
/** Elections called by members are obeyed at most this often. */
export const CALL_INTERVAL_MS = 10_000;
/** Every hour a better class looks again whether it should provide (§8.2). */
export const RECHECK_MS = 3_600_000;
/** An epoch that jumps further than this is a fault or malice: it would use up the numbers. */
export const EPOCH_JUMP_MAX = 1_000_000;
/** Largest step by which one node's word moves a provider's epoch: results may be lost in between. */
export const EPOCH_STEP_MAX = EPOCH_JUMP_MAX / 8;
/** Services with an election on one node, candidates remembered in each. */
export const ELECTIONS_MAX = 64;
export const CANDIDATES_SEEN_MAX = 256;

/** Bounds of the tables (§9). */
export const MEMBERS_MAX = 1024;
export const HINTS_MAX = 65_536;
export const HOLDERS_PER_HINT_MAX = 3;
export const SEARCHES_MAX = 4096;
export const ANSWERS_MAX = 4096;
/** Ended requests that were not heard before their end: packets overtake each other by ms only. */
export const ENDED_AHEAD_MAX = 256;
export const SPARE_SOURCES_MAX = 8;
/** A finished answer is remembered this long, so that a repeated request draws no second one. */
export const ANSWER_MEMORY_MS = 500;
/** A source that lied or broke off is not used again for this long (§4.6). */
export const BAN_MS = 10 * 60_000;
export const FAILURE_PAUSE_MS = 30_000;
/** Restarts that end such a pause, at once; later ones one in each pause (§4.6). */
export const FORGIVEN_AT_ONCE = 4;
export const BANS_MAX = 1024;

/** Largest request ID (§2.2). */
export const ID_MAX = 0x7fffffff;
