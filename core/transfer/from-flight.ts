/**
 * The flight's part of a download: follows what another node is downloading, as its pieces arrive
 * (PROTOCOL §5.2, §6.3). Called by `fetch`, like `from-origin`.
 *
 * Invariant: a flight that has become a copy, or takes its bytes from one, is left for that copy,
 * which is verified as any other.
 */
import type { FlightSource } from '../protocol/effect.js';
import type { RetrievalResult } from '../protocol/retrieval.js';
import type { FlightDescription, SignedHead } from '../trust/flight.js';
import type { Download, Fetch, FetchOptions } from './fetch.js';
import type { Flight } from './flight.js';
import { followFlight } from './follow.js';
import { storableHeaders } from './freshness.js';
import { type CopyPlace, readCopy } from './landed-copy.js';
import { bodyOf, collect, PeerFault, within } from './peer-body.js';

/** A copy that is offered in place of a flight, as JSON. */
const COPY_BYTES_MAX = 4096;

export class FromFlight {
  private readonly options: FetchOptions;
  private readonly fetch: Fetch;

  constructor(options: FetchOptions, fetch: Fetch) {
    this.options = options;
    this.fetch = fetch;
  }

  /** Follows a peer's download; it may have become a copy meanwhile. @throws PeerFault */
  async take(download: Download, source: FlightSource): Promise<RetrievalResult> {
    const { flight, ask } = download;
    const { peers, keyring } = this.options;
    // What was begun from a copy has no head that a flight could go on from.
    if (flight.headSent && flight.track.heads.length === 0) return 'unsuitable';
    const headers = {
      'peerage-from': String(flight.track.signatures.length),
      'peerage-relay': flight.options.path,
    };
    const { response: stream } = await peers.attach(source, source.flight, (path) => path, headers);
    if (stream.statusCode === 303) {
      const copy = readCopy(await collect(stream, COPY_BYTES_MAX, 'a copy'));
      const { kid, name, address, port } = source;
      return this.fetch.tryPeer(download, { kind: 'peer', kid, name, address, port, copy });
    }
    if (stream.statusCode !== 200) {
      stream.destroy();
      throw new PeerFault('failed', `the peer answered ${stream.statusCode} for its flight`);
    }
    flight.source = 'peer';
    flight.from = source.name;
    const before = flight.receivedBytes;
    const begin = (head: SignedHead) => this.beginFollowing(flight, head.description);
    try {
      const signed = await followFlight({
        flight,
        ask,
        keyring,
        stream: bodyOf(stream),
        within: (limitMs, wait) => within(limitMs, stream, `no piece for ${limitMs} ms`, wait),
        begin,
      });
      if (signed === 'unshareable') return 'unshareable';
      if ('copy' in signed) return await this.tryElsewhere(download, source, signed);
      await this.fetch.finish(download, () => signed);
      return 'ok';
    } finally {
      stream.destroy();
      this.fetch.counters.add('bytes-from-peers', flight.receivedBytes - before);
    }
  }

  /** The followed node takes a copy itself: so do we, from the same holder. @throws PeerFault */
  private async tryElsewhere(download: Download, relay: FlightSource, { kid, copy }: CopyPlace) {
    const holder = kid === relay.kid ? relay : this.options.peering.locate(kid);
    if (holder === undefined) throw new PeerFault('failed', 'the copy is at an unknown node');
    const { name, address, port } = holder;
    try {
      return await this.fetch.tryPeer(download, { kind: 'peer', kid, name, address, port, copy });
    } catch (error) {
      // What the holder does wrong is not held against the node that named it.
      if (!(error instanceof PeerFault)) throw error;
      throw new PeerFault('failed', error.message, error);
    }
  }

  private async beginFollowing(flight: Flight, description: FlightDescription): Promise<void> {
    const { status, sizeBytes } = description;
    const headers = storableHeaders(description.headers);
    delete headers['content-length'];
    if (sizeBytes !== undefined) headers['content-length'] = String(sizeBytes);
    const incoming = await this.fetch.createFile(sizeBytes);
    flight.begin({ status, headers, source: 'peer', sizeBytes, sha256: undefined }, incoming);
  }
}
