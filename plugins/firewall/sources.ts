/**
 * The sources of the settings, each with its shelf, its feed and its update agent.
 *
 * Each source is an agent of its own, for each has its own interval and fails by itself. The
 * plugin's packets come in once and are handed to all of them.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Announcement, type Disposable, describeError, type Log } from '@peerage/sdk';
import {
  type Announcements,
  type CheckReport,
  type Failure,
  type Feed,
  Shelf,
  UpdateAgent,
} from '@peerage/update-agent';
import type { SourceList } from './compile.js';
import type { Enforcer } from './enforcer.js';
import type { Guard } from './guards.js';
import { ListFeed } from './list-feed.js';
import { Origin, type OriginPorts } from './origin.js';
import { leastIntervalMs, type SourceSettings } from './settings.js';
import { SuricataFeed } from './suricata/feed.js';
import type { SuricataTarget } from './suricata/target.js';

/** One source at work. */
export interface Source {
  readonly settings: SourceSettings;
  readonly shelf: Shelf;
  readonly agent: UpdateAgent;
  /** Absent for sources of Suricata rules, which block no addresses. */
  readonly list: ListFeed | undefined;
}

export interface SourcePorts extends OriginPorts {
  readonly directory: string;
  readonly node: string;
  readonly lan: Announcements;
  readonly role: () => Promise<'poll' | 'listen'>;
  /** Called when the origin cannot be reached from here. */
  readonly cutOff?: (failure: Failure) => Promise<void>;
  /** Whether this node's word is enough for a list that nobody signs: the provider's is. */
  readonly believes: (node: string) => boolean;
  /** By source: the version to stay at. */
  readonly pins: () => Readonly<Record<string, string>>;
  readonly enforcer: Enforcer;
  readonly guards: () => Promise<readonly Guard[]>;
  readonly suricata: SuricataTarget | undefined;
  readonly minRules: number;
  readonly log: Log;
}

export async function openSource(settings: SourceSettings, ports: SourcePorts): Promise<Source> {
  const directory = join(ports.directory, 'sources', settings.name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const shelf = await Shelf.open(directory);
  const origin = new Origin(settings.name, leastIntervalMs(settings), ports);
  const made: { agent?: UpdateAgent } = {};
  const news = () => made.agent?.news.latest() ?? [];
  const list =
    settings.format === 'suricata'
      ? undefined
      : new ListFeed(settings, { ...ports, origin, shelf, news });
  const feed = list ?? rulesFeed(settings, ports, origin, shelf);
  const agent = new UpdateAgent(feed, {
    ...ports,
    lan: settings.minisignKey === undefined ? newsFrom(ports.lan, ports.believes) : ports.lan,
    shelf,
    rules: () => ({ pins: ports.pins(), recalls: [] }),
  });
  made.agent = agent;
  return { settings, shelf, agent, list };
}

function rulesFeed(
  settings: SourceSettings,
  ports: SourcePorts,
  origin: Origin,
  shelf: Shelf,
): Feed {
  const { suricata, minRules, now } = ports;
  if (suricata === undefined) throw new Error('judged by the settings');
  return new SuricataFeed(settings, { origin, shelf, target: suricata, minRules, now });
}

/** The list of a source that was in force last, or the one before if that is damaged. */
export async function lastGood(source: Source, log: Log): Promise<SourceList | undefined> {
  const { shelf, list, settings } = source;
  const { version, previous } = shelf.state(settings.name);
  for (const one of [version, previous]) {
    if (one === undefined || list === undefined) continue;
    try {
      return await list.listIn(shelf.path(settings.name, one));
    } catch (error) {
      log.error('last-good-damaged', {
        source: settings.name,
        version: one,
        error: describeError(error),
      });
    }
  }
  return undefined;
}

/** Why the last check of a source did not do what it was for; `undefined` if it did. */
export function reasonOf(report: CheckReport | undefined): string | undefined {
  const failure = report?.failure ?? report?.components.find((one) => one.failure)?.failure;
  return failure === undefined ? undefined : `${failure.code}: ${failure.message}`;
}

/** Hands what the plugin hears to all sources; the core lets a plugin listen a few times only. */
export class Hub implements Announcements {
  private readonly lan: Announcements;
  private readonly listeners = new Set<(announcement: Announcement) => void>();

  constructor(lan: Announcements) {
    this.lan = lan;
  }

  start(): Promise<Disposable> {
    return this.lan.onAnnouncement((announcement) => {
      for (const listener of this.listeners) listener(announcement);
    });
  }

  announce(name: string, values: Record<string, string>): Promise<void> {
    return this.lan.announce(name, values);
  }

  async onAnnouncement(listener: (announcement: Announcement) => void): Promise<Disposable> {
    this.listeners.add(listener);
    return { dispose: () => void this.listeners.delete(listener) };
  }
}

/**
 * The announcements without other nodes' news. Where nobody signs a list its digest comes from the
 * news alone: any member could make one up, so only the one that the LAN elected to ask is heard.
 */
function newsFrom(lan: Announcements, believes: (node: string) => boolean): Announcements {
  return {
    announce: (name, values) => lan.announce(name, values),
    onAnnouncement: (listener) => {
      return lan.onAnnouncement((announcement) => {
        if (announcement.name !== 'news' || believes(announcement.from)) listener(announcement);
      });
    },
  };
}
