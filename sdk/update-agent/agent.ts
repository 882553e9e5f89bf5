/**
 * The check of one feed, from the question what is new to the report of what was done:
 *
 *   poll (the provider, or who has none) ─┐
 *   learn (from the provider's news) ─────┴► decide ─► retrieve ─► verify ─► keep ─► install ─► report
 *                                                         each file by its own transaction
 *
 * Invariants: one check at a time; nothing is kept that `verify` has not passed, nothing is in
 * force that `install` has not returned from; a failure leaves what was in force and is reported;
 * only the poller asks the Internet what is new.
 */
import type { Disposable } from '@peerage/sdk';
import { type Decision, decide, isRecalled, type StayReason } from './decide.js';
import { type Disk, realDisk } from './disk.js';
import type { AgentPorts, Feed, Role } from './feed.js';
import { CUT_OFF_PAUSE_MS, SILENCE_MS } from './limits.js';
import type { News } from './news.js';
import { NewsDesk } from './news.js';
import { judgeReleases, type Release } from './release.js';
import {
  type CheckReport,
  type ComponentReport,
  decisionWord,
  type Failure,
  failureOf,
  isCutOff,
  outcomeOf,
} from './report.js';
import type { Retrieved } from './retrieve.js';
import { Stager } from './stage.js';
import { turnOf } from './turn.js';

/** What is offered, `undefined` if nobody has told yet, and by which way it was found out. */
interface Found {
  readonly offered: readonly Release[] | undefined;
  readonly role: Role;
  /** Why the origin could not tell, where others did. */
  readonly failure?: Failure;
}

/** Marks news of a version that its feed has recalled. */
const RECALLED = 'recalled';
/** Reports that are kept for the status. */
const MAX_REPORTS = 20;

export class UpdateAgent {
  readonly reports: CheckReport[] = [];
  readonly news: NewsDesk;
  private readonly feed: Feed;
  private readonly ports: AgentPorts;
  private readonly disk: Disk;
  private readonly stager: Stager;
  private readonly lifetime = new AbortController();
  private offered: readonly Release[] = [];
  private running: Promise<CheckReport> | undefined;
  private again: Promise<CheckReport> | undefined;
  private againBy: 'time' | 'news' = 'news';
  private askedAtMs: number | undefined;
  private hasBadNews = false;
  private cutOffAtMs = Number.NEGATIVE_INFINITY;

  constructor(feed: Feed, ports: AgentPorts) {
    this.feed = feed;
    this.ports = ports;
    this.disk = ports.disk ?? realDisk;
    this.news = new NewsDesk(feed.name, ports.lan, ports.log, ports.now);
    this.stager = new Stager(feed, ports, this.disk, this.lifetime.signal);
  }

  /** Hears the news from now on; a new version starts a check. */
  async start(): Promise<Disposable> {
    const hearing = await this.news.listen({
      onNews: (news) => {
        this.askedAtMs = undefined;
        if (!this.isKnown(news)) void this.check(`news from ${news.from}`, 'news');
      },
      onChecking: () => {
        this.askedAtMs = undefined;
      },
      onQuestion: () => void this.answer().catch((error) => this.warn('not-answered', error)),
    });
    return {
      dispose: async () => {
        await hearing.dispose();
        this.lifetime.abort();
        await this.running;
      },
    };
  }

  /**
   * Makes a check; those that are asked for while another runs are made as one after it. What
   * comes by news asks nobody what is new.
   */
  check(reason: string, by: 'time' | 'news' = 'time'): Promise<CheckReport> {
    if (this.running === undefined) {
      this.running = this.run(reason, by).finally(() => {
        this.running = undefined;
      });
      return this.running;
    }
    if (by === 'time') this.againBy = by;
    this.again ??= this.running.then(() => {
      const next = this.againBy;
      this.again = undefined;
      this.againBy = 'news';
      return this.check(reason, next);
    });
    return this.again;
  }

  private async run(reason: string, by: 'time' | 'news'): Promise<CheckReport> {
    const startedAtMs = this.ports.now();
    const wanted = by === 'news' ? 'listen' : await this.actualRole();
    const base = { feed: this.feed.name, reason, role: wanted, startedAtMs };
    try {
      const { offered, role, failure } = await this.findOut(wanted, by);
      if (offered === undefined)
        return this.finish({ ...base, outcome: 'waiting', components: [] });
      this.offered = judgeReleases(offered);
      const components: ComponentReport[] = [];
      for (const name of this.componentsOf(offered)) {
        const release = offered.find(({ component }) => component === name);
        components.push(await this.bring(name, release, role));
      }
      const told = failure === undefined ? {} : { failure };
      return this.finish({ ...base, outcome: outcomeOf(components), components, ...told });
    } catch (error) {
      const failure = failureOf(error);
      return this.finish({ ...base, outcome: 'failed', components: [], failure });
    }
  }

  /** A listener that meets silence, or whose news led to nothing, asks the Internet itself. */
  private async actualRole(): Promise<Role> {
    const role = await this.ports.role();
    if (role !== 'listen') return role;
    if (this.hasBadNews) return 'poll';
    if (this.askedAtMs === undefined) return role;
    return this.ports.now() - this.askedAtMs >= SILENCE_MS ? 'poll' : 'listen';
  }

  /** What is offered; `undefined` while the provider has not told yet. */
  private async findOut(role: Role, by: 'time' | 'news'): Promise<Found> {
    if (role !== 'listen') return this.poll(role);
    const news = this.news.latest();
    if (by === 'time') {
      this.askedAtMs ??= this.ports.now();
      await this.news.ask();
    }
    if (news.length === 0) return { offered: undefined, role };
    return { offered: await this.feed.learn(news, this.lifetime.signal), role };
  }

  /** Asks the origin; where that fails, goes by what others have told. */
  private async poll(role: Role): Promise<Found> {
    const { signal } = this.lifetime;
    await this.news.tellChecking();
    try {
      return { offered: await this.feed.poll(signal), role };
    } catch (error) {
      const news = this.news.latest();
      await this.news.ask();
      if (news.length === 0) throw error;
      this.warn('not-polled', error);
      const offered = await this.feed.learn(news, signal);
      return { offered, role: 'listen', failure: failureOf(error) };
    }
  }

  /** Whether news says nothing beyond what was offered or is in force here. */
  private isKnown({ component, version, details }: News): boolean {
    if (details[RECALLED] !== undefined) return false;
    if (this.ports.shelf.state(component).version === version) return true;
    const isOffered = this.offered.some((one) => {
      return one.component === component && one.version === version;
    });
    return isOffered && this.running !== undefined;
  }

  /** Components that are offered, here, pinned or recalled. */
  private componentsOf(offered: readonly Release[]): string[] {
    const { pins, recalls } = this.ports.rules();
    const here = this.ports.shelf.components();
    const ruled = [...Object.keys(pins), ...recalls.map(({ component }) => component)];
    const known = ruled.filter((component) => here.includes(component));
    return [...new Set([...offered.map(({ component }) => component), ...here, ...known])];
  }

  /** Brings one component to where it shall be. */
  private async bring(
    component: string,
    offered: Release | undefined,
    role: Role,
  ): Promise<ComponentReport> {
    const before = await this.installed(component);
    let decided: string = 'failed';
    let files: readonly Retrieved[] = [];
    try {
      await this.hear(component, offered);
      const decision = await this.decide(component, before, offered);
      decided = decisionWord(decision);
      if (role !== 'listen') await this.tellRecalled(offered);
      if (decision.kind === 'update') files = await this.update(decision.release, role);
      if (decision.kind === 'back') await this.install(component, decision.version);
      if (decision.kind === 'stay') await this.adoptChanged(component, before, offered);
      if (decision.kind === 'stay' && role !== 'listen')
        files = await this.provide(decision, offered);
      const version = await this.installed(component);
      return { component, decision: decided, version, before, offered: offered?.version, files };
    } catch (error) {
      const failure = failureOf(error);
      const version = await this.installed(component).catch(() => before);
      const report = { component, decision: decided, version, before, offered: offered?.version };
      return { ...report, files, failure };
    }
  }

  private async decide(
    component: string,
    installed: string | undefined,
    offered: Release | undefined,
  ): Promise<Decision> {
    const { shelf, rules, node, now } = this.ports;
    const { newest, heard } = shelf.state(component);
    const turn = offered === undefined ? 0 : turnOf(node, component, offered.version);
    const kept = await shelf.kept(component);
    const standing = { component, installed, kept, newest, heardAtMs: heard?.atMs, turn };
    return decide(standing, offered, rules(), now());
  }

  private async hear(component: string, offered: Release | undefined): Promise<void> {
    const { shelf, now } = this.ports;
    if (offered === undefined || shelf.state(component).heard?.version === offered.version) return;
    await shelf.note(component, { heard: { version: offered.version, atMs: now() } });
  }

  private async update(release: Release, role: Role): Promise<readonly Retrieved[]> {
    const files = await this.stager.bring(release, role === 'provide');
    if (role !== 'listen') await this.tell(release, files);
    const { builtAtMs } = release;
    await this.install(release.component, release.version, builtAtMs);
    return files;
  }

  private async install(component: string, version: string, builtAtMs?: number): Promise<void> {
    const { shelf, now } = this.ports;
    const installed = shelf.state(component).version;
    const before =
      installed === undefined
        ? undefined
        : { version: installed, directory: shelf.path(component, installed) };
    const directory = shelf.path(component, version);
    await this.feed.install({ component, version, directory, before });
    const isUpdate = builtAtMs === undefined ? {} : { builtAtMs };
    await shelf.adopt(component, version, { ...isUpdate, sinceMs: now() });
  }

  /** Somebody else has put in force what is kept here: the client's own updater, or an admin. */
  private async adoptChanged(
    component: string,
    installed: string | undefined,
    offered: Release | undefined,
  ): Promise<void> {
    const { shelf, now } = this.ports;
    if (installed === undefined || shelf.state(component).version === installed) return;
    if (!(await shelf.kept(component)).includes(installed)) return;
    const isOffered = offered?.version === installed && offered.builtAtMs !== undefined;
    const built = isOffered ? { builtAtMs: offered.builtAtMs } : {};
    await shelf.adopt(component, installed, { ...built, sinceMs: now() });
  }

  private async installed(component: string): Promise<string | undefined> {
    if (this.feed.installed !== undefined) return this.feed.installed(component);
    return this.ports.shelf.state(component).version;
  }

  private async tell(release: Release, files: readonly Retrieved[]): Promise<void> {
    const { component, version } = release;
    const mark = this.isRecalled(release) ? { [RECALLED]: '1' } : {};
    const details = { ...this.feed.details(release, files), ...mark };
    await this.news.tell({ component, version, details });
  }

  /** The feed has recalled what it offers: the others learn it even where they have that version in force. */
  private async tellRecalled(offered: Release | undefined): Promise<void> {
    if (offered === undefined || !this.isRecalled(offered)) return;
    await this.tell(offered, []);
  }

  private isRecalled(release: Release): boolean {
    return isRecalled(this.feed.recalls ?? [], release);
  }

  /** The provider has for others also what it does not put in force itself, yet. */
  private async provide(
    { reason }: { readonly reason: StayReason },
    offered: Release | undefined,
  ): Promise<readonly Retrieved[]> {
    if (offered === undefined || !['current', 'canary', 'pinned'].includes(reason)) return [];
    const isNew = reason !== 'current';
    const files = isNew ? await this.stager.bring(offered, true) : await this.stager.known(offered);
    if (files !== undefined) await this.tell(offered, files);
    return isNew ? (files ?? []) : [];
  }

  /** A node asks: the poller tells what it knows, or that it is finding out. */
  private async answer(): Promise<void> {
    if ((await this.ports.role()) === 'listen') return;
    if (this.running !== undefined) return this.news.tellChecking();
    for (const release of this.offered) {
      const files = await this.stager.known(release);
      if (files !== undefined) await this.tell(release, files);
      else await this.tellRecalled(release);
    }
  }

  private async finish(report: Omit<CheckReport, 'finishedAtMs'>): Promise<CheckReport> {
    const finished: CheckReport = { ...report, finishedAtMs: this.ports.now() };
    this.hasBadNews = report.role === 'listen' && report.outcome === 'failed';
    this.reports.unshift(finished);
    this.reports.splice(MAX_REPORTS);
    const { feed, reason, role, outcome, failure } = finished;
    this.ports.log.info('checked', { feed, reason, role, outcome, ...failure });
    for (const one of finished.components) {
      if (one.failure === undefined) continue;
      this.ports.log.warn('not-updated', { feed, component: one.component, ...one.failure });
    }
    await this.tellStandings(finished);
    if (role !== 'listen' && failure !== undefined && isCutOff(failure)) {
      await this.giveAway(failure).catch((error) => this.warn('office-not-given', error));
    }
    return finished;
  }

  private async giveAway(failure: Failure): Promise<void> {
    const now = this.ports.now();
    if (now - this.cutOffAtMs < CUT_OFF_PAUSE_MS) return;
    this.cutOffAtMs = now;
    await this.ports.cutOff?.(failure);
  }

  private async tellStandings({ outcome, components, finishedAtMs }: CheckReport): Promise<void> {
    for (const { component, version, failure } of components) {
      if (version === undefined) continue;
      const said = failure?.code ?? outcome;
      await this.news.tellStanding({
        component,
        version,
        outcome: said,
        checkedAtMs: finishedAtMs,
      });
    }
  }

  private warn(event: string, error: unknown): void {
    this.ports.log.warn(event, { feed: this.feed.name, error });
  }
}
