/**
 * What nodes tell each other about a feed: new versions, questions for them, standings.
 *
 * Announcements are signed by their node, so they come from a member; still nothing of them is
 * believed beyond "there may be a version N": whatever is retrieved because of news is verified
 * like everything else. Every table is bounded, a question is answered at most once a second.
 */
import type { Announcement, Disposable, Log, PeeringService } from '@peerage/sdk';
import { ANSWER_INTERVAL_MS, MAX_NEWS } from './limits.js';
import { isName } from './version.js';

/** The part of the peering service that news needs. */
export type Announcements = Pick<PeeringService, 'announce' | 'onAnnouncement'>;

/** A version of a component that a node has verified, and what the feed needs to find it. */
export interface News {
  readonly component: string;
  readonly version: string;
  /** Further values of the feed's own: a digest, a size. */
  readonly details: Readonly<Record<string, string>>;
  readonly from: string;
}

/** Where another node stands with a component. */
export interface RemoteStanding {
  readonly node: string;
  readonly component: string;
  readonly version: string;
  readonly outcome: string;
  readonly checkedAtMs: number;
}

export interface NewsListener {
  /** A version that was not known, or is told with other details. */
  onNews(news: News): void;
  /** The poller is at work: its news will come. */
  onChecking(from: string): void;
  /** A node asks for the news. */
  onQuestion(from: string): void;
}

/** Nodes whose standing is kept; more are counted out, the LAN view says how many it shows. */
const MAX_STANDINGS = 4096;

export class NewsDesk {
  readonly standings = new Map<string, RemoteStanding>();
  private readonly heard = new Map<string, News>();
  private readonly feed: string;
  private readonly lan: Announcements;
  private readonly log: Log;
  private readonly now: () => number;
  private answeredAtMs = Number.NEGATIVE_INFINITY;

  constructor(feed: string, lan: Announcements, log: Log, now: () => number) {
    this.feed = feed;
    this.lan = lan;
    this.log = log;
    this.now = now;
  }

  listen(listener: NewsListener): Promise<Disposable> {
    return this.lan.onAnnouncement((announcement) => this.take(announcement, listener));
  }

  /** The last news of each component. */
  latest(): readonly News[] {
    return [...this.heard.values()];
  }

  async tell(news: Omit<News, 'from'>): Promise<void> {
    const { component, version, details } = news;
    await this.announce('news', { ...details, component, release: version });
  }

  async ask(): Promise<void> {
    await this.announce('question', {});
  }

  async tellChecking(): Promise<void> {
    await this.announce('checking', {});
  }

  async tellStanding(standing: Omit<RemoteStanding, 'node'>): Promise<void> {
    const { component, version, outcome, checkedAtMs } = standing;
    const checked = String(checkedAtMs);
    await this.announce('standing', { component, release: version, outcome, checked });
  }

  /** A packet may be lost anyway, so one that cannot be sent fails nothing. */
  private async announce(name: string, values: Record<string, string>): Promise<void> {
    try {
      await this.lan.announce(name, { ...values, feed: this.feed });
    } catch (error) {
      this.log.warn('not-announced', { feed: this.feed, name, error });
    }
  }

  private take({ name, values, from }: Announcement, listener: NewsListener): void {
    const { feed, component, release: version, ...rest } = values;
    const { outcome = '', checked = '', ...details } = rest;
    if (feed !== this.feed) return;
    if (name === 'checking') return listener.onChecking(from);
    if (name === 'question') return this.takeQuestion(from, listener);
    if (component === undefined || version === undefined) return;
    if (!isName(component) || !isName(version)) return;
    if (name === 'standing') this.takeStanding(from, { component, version, outcome, checked });
    if (name === 'news') this.takeNews({ component, version, details, from }, listener);
  }

  private takeQuestion(from: string, listener: NewsListener): void {
    if (this.now() - this.answeredAtMs < ANSWER_INTERVAL_MS) return;
    this.answeredAtMs = this.now();
    listener.onQuestion(from);
  }

  private takeNews(news: News, listener: NewsListener): void {
    const { component } = news;
    const before = this.heard.get(component);
    if (before === undefined && this.heard.size >= MAX_NEWS) return;
    this.heard.set(component, news);
    const said = JSON.stringify([before?.version, before?.details]);
    if (said !== JSON.stringify([news.version, news.details])) listener.onNews(news);
  }

  private takeStanding(
    node: string,
    said: { component: string; version: string; outcome: string; checked: string },
  ): void {
    const { component, version, outcome, checked } = said;
    const key = JSON.stringify([node, component]);
    if (!this.standings.has(key) && this.standings.size >= MAX_STANDINGS) return;
    const checkedAtMs = /^\d{1,15}$/.test(checked) ? Number(checked) : 0;
    this.standings.set(key, { node, component, version, outcome, checkedAtMs });
  }
}
