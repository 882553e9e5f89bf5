/**
 * The loop around the heart: a datagram is opened and goes in, effects come out and are performed,
 * one timer is set to the heart's `wakeAt`. Flow 1: socket ─► open ─► driver ─► protocol ─► effect
 * ─► perform ─► seal ─► socket.
 *
 * Invariants: the heart is never entered while its effects are being performed; a packet that is
 * rejected only changes a counter.
 */
import { networkInterfaces } from 'node:os';
import { unreachable } from '../base/assert.js';
import { Counters } from '../base/bounded.js';
import type { Clock } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type {
  AnnouncementListener,
  LanPeering,
  LanSearch,
  PeerEndpoint,
  PeeringStatus,
} from '../ports/ports.js';
import type { SearchWitness } from '../ports/why.js';
import type { Effect, ElectionEffect } from '../protocol/effect.js';
import type { Elections } from '../protocol/elections.js';
import type { Message, Received } from '../protocol/message.js';
import type { Peer } from '../protocol/peer.js';
import type { Want } from '../protocol/search.js';
import type { Opener } from '../wire/open.js';
import type { Sealer } from '../wire/seal.js';
import { Announcements } from './announcements.js';
import { isOnLink, type LanInterface, suitableInterfaces } from './interfaces.js';
import { PendingSearch, type SearchReports } from './search.js';
import { PacketSocket } from './socket.js';

/** How often the interfaces are looked at again: cables, Wi-Fi and leases change. */
const RESCAN_MS = 15_000;
/** Turns of the event loop that a due wake-up waits for packets: a flood must not stop the clock. */
const DRAIN_ROUNDS_MAX = 16;

export interface DriverOptions {
  readonly peer: Peer;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** False for a group of one: no socket is opened. */
  readonly peering: boolean;
  /** `auto` or one address. */
  readonly address: string;
  readonly packetPort: number;
  /** Called for each interface that comes up, so that objects are served there too. */
  readonly onInterface: (lan: LanInterface) => Promise<void>;
  /** Called when a member says that it has a newer group policy (§1.8). */
  readonly onPolicy?: (from: PeerEndpoint, version: number) => void;
  /** Called with what the elections want done (§8). */
  readonly onElection?: (effect: ElectionEffect) => void;
}

export class PeeringDriver implements LanPeering {
  readonly counters = new Counters();
  private readonly options: DriverOptions;
  private readonly announcements: Announcements;
  private sockets: PacketSocket[] = [];
  private readonly searches = new Map<number, PendingSearch>();
  private timer: NodeJS.Timeout | undefined;
  /** What the timer is set for. */
  private armedFor: number | undefined;
  private waking: NodeJS.Immediate | undefined;
  /** Whether a packet came since it was set to false. */
  private heard = false;
  private rescanTimer: NodeJS.Timeout | undefined;

  constructor(options: DriverOptions) {
    this.options = options;
    this.announcements = new Announcements(options.clock, this.counters);
  }

  /** Opens the sockets and says hello. @throws CodedError `E_PORT_TAKEN` */
  async start(): Promise<void> {
    const { peering, peer, clock } = this.options;
    if (peering) {
      await this.openSockets(true);
      this.rescanTimer = setInterval(() => void this.openSockets(false), RESCAN_MS);
      this.rescanTimer.unref();
    }
    this.perform(peer.start(clock.nowMs()));
  }

  /** Says bye and closes. */
  async stop(): Promise<void> {
    clearInterval(this.rescanTimer);
    this.perform(this.options.peer.stop(this.options.clock.nowMs()));
    this.disarm();
    clearImmediate(this.waking);
    const sockets = this.sockets;
    this.sockets = [];
    await Promise.all(sockets.map((socket) => socket.close()));
  }

  search(want: Want, witness?: SearchWitness): LanSearch {
    const { peer, clock } = this.options;
    const now = clock.nowMs();
    const { id, effects } = peer.want(now, want);
    const reports: SearchReports = {
      retrieved: (result, source) => {
        const failed = source === undefined || source.kind === 'origin' ? undefined : source;
        this.perform(peer.retrieved(clock.nowMs(), id, result, failed));
      },
      cancel: () => {
        this.searches.delete(id);
        this.perform(peer.cancel(clock.nowMs(), id));
      },
    };
    const pending = new PendingSearch(reports, want.href, witness);
    this.searches.set(id, pending);
    this.perform(effects);
    return pending;
  }

  announce(service: string, name: string, values: Readonly<Record<string, string>>): void {
    this.announcements.check(service, name, values);
    this.perform(this.options.peer.custom(service, name, values));
  }

  onAnnouncement(service: string, listener: AnnouncementListener): { dispose(): void } {
    return this.announcements.listen(service, listener);
  }

  /** The live provider of a service, if it is another node that we know (§8.9). */
  provider(service: string): PeerEndpoint | undefined {
    const { peer } = this.options;
    const kid = peer.elections?.provider(service);
    return kid === undefined ? undefined : peer.members.get(kid);
  }

  /** Does something with the heart's elections, and performs what comes of it (§8). */
  elect(change: (elections: Elections, nowMs: number) => void): void {
    const { peer, clock } = this.options;
    const now = clock.nowMs();
    this.perform(peer.elect((elections) => change(elections, now)));
  }

  /** Names of the network cards that take part. */
  get cards(): string[] {
    return this.sockets.map(({ lan }) => lan.name);
  }

  /** A newer group policy is in force: those it revokes are out, the others are told. */
  policyGrew(version: number, revoked: ReadonlySet<string>): void {
    const { peer, clock } = this.options;
    this.perform(peer.expel(clock.nowMs(), revoked));
    this.perform(peer.policyGrew(clock.nowMs(), version));
  }

  /** This node has another key and certificate now. */
  renewed(): void {
    this.perform(this.options.peer.renewed(this.options.clock.nowMs()));
  }

  locate(kid: string): PeerEndpoint | undefined {
    return this.options.peer.members.get(kid);
  }

  /** Where the live peers are that serve. */
  endpoints(): Array<{ readonly host: string; readonly port: number }> {
    const servers = [...this.options.peer.members.values()].filter(({ server }) => server);
    return servers.map(({ address: host, port }) => ({ host, port }));
  }

  status(): PeeringStatus {
    const { peer, clock } = this.options;
    const now = clock.nowMs();
    const peers = [...peer.members.values()].map(
      (member) =>
        ({
          name: member.name,
          kid: member.kid,
          address: member.address,
          heardMsAgo: Math.round(now - member.heardAt),
          internet: member.internet,
          roles: member.client ? (member.server ? 'both' : 'client') : 'server',
        }) as const,
    );
    const dropped = this.sockets.reduce((sum, socket) => sum + socket.dropped, 0);
    const counters = {
      ...peer.counters.snapshot(),
      ...this.counters.snapshot(),
      'packets-dropped': dropped,
    };
    return {
      peers,
      roundTripMs: Math.round(peer.roundTripMs * 100) / 100,
      counters,
      clock: this.options.opener.clocks.skew(clock.wallMs()),
      banned: peer.banned(now),
      interfaces: this.sockets.map(({ lan }) => `${lan.name} ${lan.address}`),
    };
  }

  private async openSockets(first: boolean): Promise<void> {
    const { address, packetPort, logger } = this.options;
    const wanted = suitableInterfaces(networkInterfaces(), address);
    const stays = ({ lan }: PacketSocket) => wanted.some(({ address: own }) => own === lan.address);
    const gone = this.sockets.filter((socket) => !stays(socket));
    const kept = this.sockets.filter(stays);
    this.sockets = kept;
    for (const socket of gone) await socket.close();
    for (const lan of wanted) {
      if (kept.some((socket) => socket.lan.address === lan.address)) continue;
      try {
        this.sockets.push(await this.openSocket(lan, packetPort));
        logger.log('info', 'interface-up', { interface: lan.name, address: lan.address });
      } catch (error) {
        if (first) throw error;
        logger.log('warn', 'interface-failed', {
          interface: lan.name,
          address: lan.address,
          error,
        });
      }
    }
    if (first && this.sockets.length === 0) {
      logger.log('warn', 'no-interface', { code: 'E_NO_INTERFACE', address });
    }
  }

  private async openSocket(lan: LanInterface, port: number): Promise<PacketSocket> {
    const handle = (bytes: Buffer, source: string) => this.receive(lan, bytes, source);
    const socket = await PacketSocket.open(lan, port, handle);
    try {
      await this.options.onInterface(lan);
      return socket;
    } catch (error) {
      await socket.close();
      throw error;
    }
  }

  private receive(lan: LanInterface, bytes: Buffer, source: string): void {
    this.heard = true;
    const { opener, peer, clock } = this.options;
    const origin = { address: source, onLink: isOnLink(lan, source) };
    const verdict = opener.open(bytes, origin, clock.nowMs(), clock.wallMs());
    if (!verdict.ok) return this.counters.add(`rejected-${verdict.reason}`);
    this.counters.add(`received-${verdict.value.message.type}`);
    this.witness(verdict.value);
    this.perform(peer.receive(clock.nowMs(), verdict.value));
  }

  /** Lets a search's witness know what a peer says to it; what it means is the heart's business. */
  private witness({ from, message }: Received): void {
    if (message.type === 'response') {
      const { witness } = this.searches.get(message.id) ?? {};
      witness?.answered(from.name, message.copy === undefined ? 'none' : 'has-it');
    }
    if (message.type !== 'progress') return;
    // What others say of a download is tied to it by its URL: its number is theirs, not ours.
    for (const { href, witness } of this.searches.values()) {
      const said = message.aborted ? 'gave-up' : 'downloading';
      if (href === message.href) witness?.answered(from.name, said);
    }
  }

  private perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.noteAsking(effect);
      this.performOne(effect);
    }
    this.arm();
  }

  private noteAsking(effect: Effect): void {
    if (effect.kind !== 'send' && effect.kind !== 'broadcast') return;
    const { message } = effect;
    if (message.type !== 'request') return;
    const { members } = this.options.peer;
    const asked = message.to === undefined ? 'everybody' : members.get(message.to)?.name;
    if (asked !== undefined) this.searches.get(message.id)?.witness?.asked(asked);
  }

  private performOne(effect: Effect): void {
    switch (effect.kind) {
      case 'broadcast':
        for (const socket of this.sockets) this.seal(effect.message, socket, undefined, false);
        break;
      case 'send': {
        const socket = this.sockets.find(({ lan }) => isOnLink(lan, effect.to)) ?? this.sockets[0];
        if (socket !== undefined) this.seal(effect.message, socket, effect.to, effect.introduce);
        break;
      }
      case 'retrieve':
        this.searches.get(effect.want)?.offered(effect.source);
        break;
      case 'settle':
        this.searches.get(effect.want)?.settled();
        this.searches.delete(effect.want);
        break;
      case 'fetch-policy':
        this.options.onPolicy?.(effect.from, effect.version);
        break;
      case 'designate':
      case 'keep-epoch':
      case 'attend':
        this.options.onElection?.(effect);
        break;
      case 'deliver':
        this.deliver(effect);
        break;
      default:
        unreachable(effect);
    }
  }

  private deliver({ service, from, name, values }: Extract<Effect, { kind: 'deliver' }>): void {
    this.announcements.deliver(service, { name, values, from });
  }

  private seal(
    message: Message,
    socket: PacketSocket,
    to: string | undefined,
    introduce: boolean,
  ): void {
    const { sealer, clock } = this.options;
    const bytes = sealer.seal(message, socket.lan.address, clock.wallMs(), introduce);
    if (bytes === undefined) return this.counters.add('too-large-to-send');
    this.counters.add(`sent-${message.type}`);
    if (to === undefined) socket.broadcast(bytes);
    else socket.send(bytes, to);
  }

  private arm(): void {
    if (this.waking !== undefined) return this.disarm();
    const { peer, clock } = this.options;
    const at = peer.wakeAt;
    // Most packets change nothing about when to wake: a timer for each would wake an idle node too.
    if (at !== undefined && at === this.armedFor) return;
    this.disarm();
    if (at === undefined || (this.sockets.length === 0 && this.searches.size === 0)) return;
    const delayMs = Math.max(0, Math.ceil(at - clock.nowMs()));
    this.armedFor = at;
    this.timer = setTimeout(() => this.wakeAfterPackets(), delayMs);
    this.timer.unref();
  }

  private disarm(): void {
    clearTimeout(this.timer);
    this.armedFor = undefined;
  }

  /**
   * On a busy machine a timer comes late and packets have come meanwhile. They go in first, all of
   * them: to decide that nobody answered while the answer lies in the socket would be wrong.
   */
  private wakeAfterPackets(rounds = 0): void {
    this.armedFor = undefined;
    this.heard = false;
    this.waking = setImmediate(() => {
      if (this.heard && rounds < DRAIN_ROUNDS_MAX) return this.wakeAfterPackets(rounds + 1);
      this.waking = undefined;
      const { peer, clock } = this.options;
      this.perform(peer.wake(clock.nowMs()));
    });
  }
}
