/**
 * What the local sockets show: one view for each path, from the parts of the node as they are now.
 * Views only look; everybody on this machine may see them.
 */
import type { LanElections } from '../ports/elections.js';
import type { Logger } from '../ports/log.js';
import type { ContentTransfer, LanPeering, PluginHost } from '../ports/ports.js';
import type { ObjectServer } from '../transfer/serve.js';
import type { Equivocation } from '../trust/equivocation.js';
import { warningsOf } from './warnings.js';

/** Who this node is. */
export interface AboutNode {
  readonly name: string;
  readonly group: string;
  readonly kid: string;
  /** A group of one: nothing is sent on the LAN. */
  readonly solo: boolean;
  readonly version: string;
  /** When this node's certificate ends, ISO 8601. */
  readonly certificateEnds: string;
  /** When the CA's certificate ends, ISO 8601. */
  readonly authorityEnds: string;
}

export interface ControlOptions {
  readonly stateDirectory: string;
  readonly about: AboutNode;
  readonly peering: LanPeering;
  readonly elections: LanElections;
  readonly transfer: ContentTransfer;
  readonly server: ObjectServer;
  readonly host: PluginHost;
  /** The group policy, unless this node is a group of one. */
  readonly policy?: GroupPolicyControl | undefined;
  /** Members that contradicted themselves (PROTOCOL §7). */
  readonly equivocations: () => readonly Equivocation[];
  readonly logger: Logger;
  /** Broadcasts a hello, so that the doctor can see whether it comes back. */
  readonly probe: () => void;
  /** The loopback port of `/metrics` and `/health`; 0 for none. */
  readonly metricsPort: number;
  /** Whether peers get anything from this node from now on; 1 if that is a change. */
  readonly serve: (on: boolean) => number;
}

/** The group policy as this interface needs it. */
export interface GroupPolicyControl {
  readonly version: number;
  status(): { readonly withheldBy: readonly string[] };
  load(): Promise<void>;
}

/** Shows something, by the parameters of the query. */
export type View = (query: URLSearchParams) => unknown;

export function viewsOf(options: ControlOptions): Readonly<Record<string, View>> {
  const { peering, transfer, host, elections } = options;
  const startedAt = Date.now();
  return {
    '/status': () => statusOf(options, startedAt),
    '/peers': () => peering.status().peers,
    '/downloads': () => transfer.downloads(),
    '/elections': () => elections.table(),
    '/plugins': () => host.plugins(),
    '/commands': () => host.commands(),
    '/cache': () => transfer.entries(),
    '/why': (query) => transfer.why(query.get('url') ?? undefined),
  };
}

function statusOf(options: ControlOptions, startedAt: number): unknown {
  const { about, peering, transfer, host, server, policy } = options;
  const { peers, ...lan } = peering.status();
  const equivocations = options.equivocations();
  return {
    ...about,
    uptimeSeconds: Math.round((Date.now() - startedAt) / 1000),
    warnings: warningsOf({
      about,
      lan,
      equivocations,
      withheldBy: policy?.status().withheldBy ?? [],
      now: Date.now(),
    }),
    equivocations,
    peers: peers.length,
    lan,
    transfer: transfer.status(),
    uploads: server.counters.snapshot(),
    plugins: host.plugins(),
    ...(policy === undefined ? {} : { policy: policy.status() }),
  };
}
