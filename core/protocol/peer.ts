/**
 * The heart of a node: messages, wake-ups, wants and results go in with the time; effects come
 * out. Synchronous and pure: no socket, no clock, no timer, no chance of its own, so that the very
 * same code runs on ten thousand simulated nodes. PROTOCOL §2.6, §3, §4.
 *
 * Invariants: after every call `wakeAt` is the earliest moment at which `wake` has something to
 * do; a server-only node never asks, a client-only node never answers; in a group of one nothing
 * is ever sent.
 */
import { BoundedMap, Counters } from '../base/bounded.js';
import type { InstantMs } from '../base/time.js';
import { Answer } from './answer.js';
import { Bans } from './bans.js';
import type { Context, PeerOptions } from './context.js';
import { Crowds } from './crowd.js';
import type { Effect, FlightSource, PeerSource } from './effect.js';
import { Elections } from './elections.js';
import { Hints } from './hints.js';
import {
  ANNOUNCE_WINDOW_MS,
  ANNOUNCEMENTS_ENOUGH,
  ANSWERS_MAX,
  BEACON_JITTER,
  DEADLINE_SLACK_MS,
  ENDED_AHEAD_MAX,
  ID_MAX,
  PEERS_ASSUMED,
  SEARCHES_MAX,
  WELCOMES_MAX,
} from './limits.js';
import { type Member, Members } from './members.js';
import type { EndRequest, Hello, Message, Progress, Received, Request, Sender } from './message.js';
import type { RetrievalResult } from './retrieval.js';
import { Search, type Want } from './search.js';
import { RoundTrip, responseWindowMs } from './timing.js';

export class Peer {
  readonly members = new Members();
  readonly counters = new Counters();
  readonly elections: Elections | undefined;
  private readonly hints = new Hints();
  private readonly roundTrip: RoundTrip;
  private readonly searches = new Map<number, Search>();
  private readonly answers = new BoundedMap<string, Answer>(ANSWERS_MAX);
  private readonly endedAhead = new BoundedMap<string, true>(ENDED_AHEAD_MAX);
  private readonly welcomes = new BoundedMap<string, InstantMs>(WELCOMES_MAX * 8);
  private readonly options: PeerOptions;
  private readonly context: Context;
  private effects: Effect[] = [];
  private nextId: number;
  private countedAt: InstantMs = 0;
  private beaconAt: InstantMs | undefined;
  private policyVersion = 0;
  /** A hello out of turn that is still to be said, and how many others said as much. */
  private announcement: { readonly at: InstantMs; heard: number } | undefined;
  private earliest: InstantMs | undefined;

  constructor(options: PeerOptions) {
    this.options = options;
    this.nextId = options.random.uint32() & ID_MAX;
    this.roundTrip = new RoundTrip(options.roundTripInitialMs);
    const crowds = new Crowds(options.sha256);
    const { members, hints, roundTrip, counters } = this;
    this.context = {
      options,
      members,
      hints,
      crowds,
      roundTrip,
      bans: new Bans(counters),
      counters,
      provider: (service) => this.elections?.provider(service),
      designated: (service) => this.elections?.designated(service),
      emit: (effect) => this.effects.push(effect),
    };
    const { elections } = options;
    this.elections = elections === undefined ? undefined : new Elections(this.context, elections);
  }

  /** When `wake` is to be called next; `undefined` if nothing is pending. */
  get wakeAt(): InstantMs | undefined {
    return this.earliest;
  }

  /** The measured round trip R in milliseconds (§4.4). */
  get roundTripMs(): number {
    return this.roundTrip.estimateMs;
  }

  /** Names of nodes that nothing is taken from at the moment. */
  banned(now: InstantMs): string[] {
    return this.context.bans.names(now);
  }

  /** Says hello and begins to count (§2.6, §4.3). */
  start(now: InstantMs): Effect[] {
    if (!this.options.peering) {
      this.members.counted = true;
      return this.take();
    }
    this.countedAt =
      now + responseWindowMs(this.roundTrip.estimateMs, PEERS_ASSUMED) + DEADLINE_SLACK_MS;
    this.sayHello(now, true);
    return this.take();
  }

  /** Says bye; the node must not be used afterwards. */
  stop(now: InstantMs): Effect[] {
    this.elections?.stop(now);
    if (this.options.peering) this.effects.push({ kind: 'broadcast', message: { type: 'bye' } });
    this.beaconAt = undefined;
    this.announcement = undefined;
    this.answers.clear();
    return this.take();
  }

  /** A verified message came in. */
  receive(now: InstantMs, { from, message }: Received): Effect[] {
    if (from.kid === this.options.kid || !this.options.peering) return this.take();
    if (message.type === 'bye') {
      this.members.remove(from.kid);
      this.elections?.left(now, from.name);
      return this.take();
    }
    const { isNew } = this.members.heard(now, from, message.type === 'hello' ? message : undefined);
    if (isNew) this.context.bans.heard(from.name, from.boot, now);
    switch (message.type) {
      case 'hello':
        this.heardHello(now, from, message, isNew);
        break;
      case 'request':
        this.heardRequest(now, from, message);
        break;
      case 'response':
        if (message.to === this.options.kid)
          this.searches.get(message.id)?.responded(now, from, message);
        break;
      case 'end-request':
        this.heardEnd(now, from, message);
        break;
      case 'progress':
        this.heardProgress(now, from, message);
        break;
      case 'custom': {
        const { service, name, values, to = this.options.kid } = message;
        if (to !== this.options.kid) break;
        this.effects.push({ kind: 'deliver', service, from: from.name, name, values });
        break;
      }
      default:
        this.elections?.receive(now, from, message);
    }
    return this.take();
  }

  /** Time has come to `wakeAt` (calling earlier is harmless). */
  wake(now: InstantMs): Effect[] {
    if (!this.members.counted && this.options.peering && now >= this.countedAt) {
      this.members.counted = true;
    }
    this.earliest = undefined;
    this.elections?.wake(now);
    for (const search of [...this.searches.values()]) search.wake(now);
    for (const [key, answer] of [...this.answers]) {
      if (answer.wake(now)) this.consider(answer.wakeAt);
      else this.answers.delete(key);
    }
    for (const [kid, at] of [...this.welcomes]) {
      if (now >= at) this.welcome(kid);
      else this.consider(at);
    }
    if (this.announcement !== undefined && now >= this.announcement.at) this.sayHello(now, false);
    if (this.beaconAt !== undefined && now >= this.beaconAt) {
      this.members.expire(now);
      this.sayHello(now, false);
    }
    return this.take();
  }

  /** Somebody on this node needs a URL that the own store does not have fresh (§4.1). */
  want(now: InstantMs, want: Want): { readonly id: number; readonly effects: Effect[] } {
    const id = this.nextId;
    this.nextId = (this.nextId + 1) & ID_MAX;
    if (this.searches.size >= SEARCHES_MAX || this.searches.has(id)) {
      const source = { kind: 'origin', reason: 'too-many-searches' } as const;
      this.effects.push({ kind: 'retrieve', want: id, source });
      return { id, effects: this.take() };
    }
    this.elections?.asked(now);
    const search = new Search(this.context, id, want);
    this.searches.set(id, search);
    search.start(now, this.countedAt);
    return { id, effects: this.take() };
  }

  /** Does something with the elections, if this node takes part in any (§8). */
  elect(change: (elections: Elections) => void): Effect[] {
    if (this.elections !== undefined) change(this.elections);
    return this.take();
  }

  /** The outcome of the outstanding `retrieve` of a want. */
  retrieved(
    now: InstantMs,
    id: number,
    result: RetrievalResult,
    source?: PeerSource | FlightSource,
  ): Effect[] {
    const { bans } = this.context;
    if (source !== undefined && result === 'lied') bans.lied(source.name, now);
    if (source !== undefined && result === 'failed')
      bans.failed(source.name, this.members.get(source.kid)?.boot, now);
    const search = this.searches.get(id);
    if (search === undefined) this.effects.push({ kind: 'settle', want: id, ok: result === 'ok' });
    else search.retrieved(now, result);
    return this.take();
  }

  /** Nobody on this node needs it any more. */
  cancel(_now: InstantMs, id: number): Effect[] {
    this.searches.get(id)?.cancel();
    return this.take();
  }

  /** This node has a newer group policy now: the others are told soon, unless others do (§1.8). */
  policyGrew(now: InstantMs, version: number): Effect[] {
    if (version > this.policyVersion) {
      this.policyVersion = version;
      this.announce(now);
    }
    return this.take();
  }

  /** This node has another key now: the others learn it from a hello out of turn. */
  renewed(now: InstantMs): Effect[] {
    this.announce(now, Number.NEGATIVE_INFINITY);
    return this.take();
  }

  /** These names are no members any more. */
  expel(now: InstantMs, names: ReadonlySet<string>): Effect[] {
    for (const { kid, name } of [...this.members.values()]) {
      if (names.has(name)) this.members.remove(kid);
    }
    for (const name of names) this.elections?.left(now, name);
    return this.take();
  }

  /** A plugin's own packet to its counterparts, or to one node (§2.2). */
  custom(
    service: string,
    name: string,
    values: Readonly<Record<string, string>>,
    to?: string,
  ): Effect[] {
    if (!this.options.peering) return this.take();
    const message = { type: 'custom', service, name, values } as const;
    if (to === undefined) this.effects.push({ kind: 'broadcast', message });
    const member = to === undefined ? undefined : this.members.get(to);
    if (to !== undefined && member !== undefined) this.send(member, { ...message, to });
    return this.take();
  }

  private send(to: Sender, message: Message): void {
    const introduce = !(this.members.get(to.kid)?.acquainted ?? false);
    this.effects.push({ kind: 'send', to: to.address, introduce, message });
  }

  private heardRequest(now: InstantMs, from: Sender, request: Request): void {
    const { server, kid, copies } = this.options;
    if (request.to !== undefined && request.to !== kid) return;
    this.elections?.asked(now);
    if (request.to === undefined) {
      this.hints.add(request.href, from.kid);
      if (request.internet) this.context.crowds.heard(now, request.href, from.kid);
    }
    if (!server) return;
    const key = `${from.kid}|${from.boot}|${request.id}`;
    const isOver = this.answers.has(key) || this.endedAhead.has(key);
    if (request.to === undefined && isOver) return;
    const { href, variant, stale, ageMaxMs } = request;
    const query = { href, variant, stale, ageMaxMs };
    const copy = request.cachedOnly ? copies.find(query) : undefined;
    if (copy !== undefined) {
      const answer = new Answer(this.context, now, from, request, copy);
      this.answers.set(key, answer);
      return this.consider(answer.wakeAt);
    }
    this.answerWithoutCopy(from, request);
  }

  /** §3.4 "downloading" to anybody, by the flight's node; §3.1 "none" to a directed request. */
  private answerWithoutCopy(from: Sender, request: Request): void {
    const { href, variant, service, id, nonce, to: directed } = request;
    for (const search of this.searchesFor(href, variant)) {
      if (search.flight !== undefined) return search.flight.say(from);
    }
    if (directed === undefined) return;
    this.send(from, { type: 'response', service, id, waitedMs: 0, nonce, to: from.kid });
  }

  private heardEnd(now: InstantMs, from: Sender, end: EndRequest): void {
    const key = `${from.kid}|${from.boot}|${end.id}`;
    const answer = this.answers.get(key);
    // "I found" may overtake "I need": who hears them so has nothing to say either.
    if (answer === undefined) this.endedAhead.set(key, true);
    else answer.ended(now, end.source);
  }

  private heardProgress(now: InstantMs, from: Sender, progress: Progress): void {
    if (progress.to !== undefined && progress.to !== this.options.kid) return;
    if (!progress.aborted) this.hints.add(progress.href, from.kid);
    for (const search of this.searchesFor(progress.href, progress.variant)) {
      search.progressed(now, from, progress);
    }
  }

  private searchesFor(href: string, variant: string): Search[] {
    return [...this.searches.values()].filter(
      ({ want }) => want.href === href && want.variant === variant,
    );
  }

  private heardHello(now: InstantMs, from: Sender, hello: Hello, isNew: boolean): void {
    if (hello.to === this.options.kid) this.members.acquainted(from.kid);
    this.heardPolicy(from, hello);
    if (!hello.starting || hello.to !== undefined || !isNew) return;
    const chance = WELCOMES_MAX / Math.max(1, this.members.size);
    if (this.options.random.fraction() >= chance) return;
    const windowMs = responseWindowMs(this.roundTrip.estimateMs, this.members.peers);
    const at = now + this.options.random.fraction() * windowMs;
    this.welcomes.set(from.kid, at);
    this.consider(at);
  }

  private heardPolicy(from: Sender, { policy = 0, to }: Hello): void {
    if (policy > this.policyVersion) {
      this.effects.push({ kind: 'fetch-policy', from, version: policy });
    }
    const { announcement } = this;
    if (announcement === undefined || to !== undefined || policy < this.policyVersion) return;
    announcement.heard += 1;
    if (announcement.heard >= ANNOUNCEMENTS_ENOUGH) this.announcement = undefined;
  }

  /** Says hello out of turn, at a random moment; before the start there is nobody to tell. */
  private announce(now: InstantMs, heard = 0): void {
    if (this.beaconAt === undefined) return;
    const at = now + this.options.random.fraction() * ANNOUNCE_WINDOW_MS;
    this.announcement = { at, heard };
  }

  private welcome(kid: string): void {
    this.welcomes.delete(kid);
    const member: Member | undefined = this.members.get(kid);
    if (member === undefined) return;
    const message = { ...this.hello(false), to: kid };
    this.effects.push({ kind: 'send', to: member.address, introduce: true, message });
  }

  private sayHello(now: InstantMs, starting: boolean): void {
    this.announcement = undefined;
    this.effects.push({ kind: 'broadcast', message: this.hello(starting) });
    const spread = 1 + BEACON_JITTER * (2 * this.options.random.fraction() - 1);
    this.beaconAt = now + this.members.beaconIntervalMs() * spread;
  }

  private hello(starting: boolean): Hello {
    const { client, server, internet } = this.options;
    const policy = this.policyVersion === 0 ? {} : { policy: this.policyVersion };
    const peers = this.members.size;
    return { type: 'hello', client, server, internet, starting, peers, ...policy };
  }

  /** Hands out the effects, drops finished searches, and finds the next wake-up. */
  private take(): Effect[] {
    const effects = this.effects;
    this.effects = [];
    this.consider(this.elections?.wakeAt);
    this.consider(this.beaconAt);
    if (!this.members.counted && this.beaconAt !== undefined) this.consider(this.countedAt);
    for (const [id, search] of this.searches) {
      if (search.over) this.searches.delete(id);
      else this.consider(search.wakeAt);
    }
    this.consider(this.announcement?.at);
    return effects;
  }

  /** A wake-up that has become needless does no harm; one that is missed would. */
  private consider(at: InstantMs | undefined): void {
    if (at === undefined) return;
    if (this.earliest === undefined || at < this.earliest) this.earliest = at;
  }
}
