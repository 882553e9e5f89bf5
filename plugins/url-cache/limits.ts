/**
 * Every limit of the plugin, with its unit and its reason.
 *
 * The listeners face whatever a client sends, so nothing here may be unlimited. Limits that an
 * admin has a reason to change are settings instead (`maxConnections`, `connectPorts`).
 */

/** Longest request head. The longest seen from apt, npm, pip and freshclam is below 2 KB. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** Time for a request head to arrive, from the connection's first moment: stops slow-loris. */
export const HEADERS_TIMEOUT_MS = 5_000;

/** Time for a whole request to arrive. Uploads pass through, at the uplink's speed: an hour. */
export const REQUEST_TIMEOUT_MS = 3_600_000;

/** How often the two limits above are checked; a slow-loris lives this much longer at most. */
export const TIMEOUT_CHECK_INTERVAL_MS = 500;

/** Silence, both ways, after which a connection is cut. An origin's first byte may take long. */
export const IDLE_TIMEOUT_MS = 120_000;

/** How long a kept-alive connection waits for its next request; apt and npm pause for seconds. */
export const KEEP_ALIVE_TIMEOUT_MS = 30_000;

/** Requests of one connection in work at a time. apt pipelines 10. */
export const MAX_PIPELINED_REQUESTS = 32;

/** Requests of all connections in work at a time; each may hold a stream of the core. */
export const MAX_OPEN_REQUESTS = 1_024;

/** Socket buffer. Larger than Node's 64 KiB: halves the CPU time of each GiB (measured). */
export const SOCKET_BUFFER_BYTES = 256 * 1024;

/** How long a refused connection is read on, so that the refusal arrives before a reset. */
export const LINGER_MS = 1_000;

/** How long running downloads may go on when the plugin stops; the host allows 5 s in all. */
export const CLOSE_GRACE_MS = 2_000;
/** And how long a connection then has to send its first request. */
export const CLOSE_FRESH_GRACE_MS = 200;

/** Tunnels at a time: each is two sockets. */
export const MAX_TUNNELS = 256;

/** Time for a client to send the first byte into its tunnel. Every known client sends at once. */
export const FIRST_BYTE_TIMEOUT_MS = 10_000;

/** Silence after which a tunnel is cut; long polls are quiet for minutes. */
export const TUNNEL_IDLE_TIMEOUT_MS = 600_000;

/** Time for one address of an origin to accept a connection, TLS handshake included. */
export const DIAL_TIMEOUT_MS = 8_000;

/** Addresses of an origin to try one after the other. */
export const MAX_DIAL_ADDRESSES = 4;

/** Rules in all: each is tried on each request. */
export const MAX_RULES = 1_000;

/** Length of a rule's pattern, in characters. */
export const MAX_PATTERN_CHARACTERS = 512;

/** Hashes looked at in one integrity list; npm sends one, at most two. */
export const MAX_INTEGRITY_HASHES = 16;

/** Requests that are known from before, for each port; as many as the core lends at most. */
export const MAX_REPEATS = 4_096;

/** Longest request line and head that is remembered, in characters; usual ones have below 500. */
export const MAX_REPEATED_HEAD_CHARACTERS = 2_048;
