/**
 * A LAN whose answers the test decides: the fake of `LanPeering`. It offers the peers that the test
 * put in, in that order, then the Internet, and writes down what came of each.
 */
import type {
  AnnouncementListener,
  LanPeering,
  LanSearch,
  PeerEndpoint,
  PeeringStatus,
} from '@peerage/core/ports/ports.js';
import type { FlightSource, LanSource, PeerSource, Source } from '@peerage/core/protocol/effect.js';
import type { RetrievalResult } from '@peerage/core/protocol/retrieval.js';
import type { Want } from '@peerage/core/protocol/search.js';

export class FakeLan implements LanPeering {
  readonly wants: Want[] = [];
  /** What was reported of each source: `name result`. */
  readonly reports: string[] = [];
  readonly banned = new Set<string>();
  /** Where peers are that others name, by kid. */
  readonly places = new Map<string, PeerEndpoint>();
  /** What plugins announced: `service name {values}`. */
  readonly announced: string[] = [];
  private readonly listeners = new Set<readonly [string, AnnouncementListener]>();
  private readonly betters = new Map<string, Promise<LanSource>>();
  private readonly offers = new Map<string, Array<PeerSource | FlightSource>>();

  /** From now on this peer offers a copy of `href`. */
  offer(href: string, source: PeerSource | FlightSource): void {
    this.offers.set(href, [...(this.offers.get(href) ?? []), source]);
  }

  /** While `href` is fetched from the Internet for the first time, this flight turns out to be better. */
  replaces(href: string, better: Promise<LanSource>): void {
    this.betters.set(href, better);
  }

  search(want: Want): LanSearch {
    this.wants.push(want);
    const offered = this.offers.get(want.href) ?? [];
    return new FakeSearch(
      offered.filter(({ name }) => !this.banned.has(name)),
      this.betters.get(want.href) ?? new Promise(() => undefined),
      (source, result) => {
        this.reports.push(`${nameOf(source)} ${result}`);
        if (result === 'lied') this.banned.add(nameOf(source));
      },
    );
  }

  announce(service: string, name: string, values: Readonly<Record<string, string>>): void {
    this.announced.push(`${service} ${name} ${JSON.stringify(values)}`);
  }

  onAnnouncement(service: string, listener: AnnouncementListener): { dispose(): void } {
    const entry = [service, listener] as const;
    this.listeners.add(entry);
    return { dispose: () => void this.listeners.delete(entry) };
  }

  /** The same plugin on another node says something. */
  hear(service: string, from: string, name: string, values: Record<string, string>): void {
    for (const [of, listener] of this.listeners) {
      if (of === service) listener({ name, values, from });
    }
  }

  locate(kid: string): PeerEndpoint | undefined {
    return this.places.get(kid);
  }

  status(): PeeringStatus {
    const banned = [...this.banned];
    const clock = { senders: 0, offsetMs: 0, alarm: false };
    return { peers: [], roundTripMs: 1, counters: {}, banned, clock, interfaces: [] };
  }
}

function nameOf(source: Source | undefined): string {
  return source === undefined || source.kind === 'origin' ? 'origin' : source.name;
}

type Report = (source: Source | undefined, result: RetrievalResult | 'cancelled') => void;

class FakeSearch implements LanSearch {
  better: Promise<LanSource>;
  private readonly left: Array<PeerSource | FlightSource>;
  private readonly report: Report;
  private current: Source | undefined;
  private over = false;
  private replaced = false;

  constructor(
    sources: ReadonlyArray<PeerSource | FlightSource>,
    better: Promise<LanSource>,
    report: Report,
  ) {
    this.better = better.then((flight) => {
      this.replaced = true;
      this.current = flight;
      return flight;
    });
    this.left = [...sources];
    this.report = report;
  }

  async first(): Promise<Source> {
    this.current = this.left.shift() ?? { kind: 'origin', reason: 'nobody-answered' };
    return this.current;
  }

  async next(failed: Source, result: Exclude<RetrievalResult, 'ok'>): Promise<Source | undefined> {
    this.report(failed, result);
    if (failed.kind === 'origin') this.over = true;
    this.current = this.over
      ? undefined
      : (this.left.shift() ?? { kind: 'origin', reason: 'sources-failed' });
    if (this.replaced) this.better = new Promise(() => undefined);
    return this.current;
  }

  done(): void {
    if (!this.over) this.report(this.current, 'ok');
    this.over = true;
  }

  cancel(): void {
    if (!this.over) this.report(this.current, 'cancelled');
    this.over = true;
  }
}
