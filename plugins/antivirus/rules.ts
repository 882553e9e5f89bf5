/**
 * Pins and recalls of this node: those of the settings, those of its commands, and recalls that
 * others of the group announce.
 *
 * A recall from the LAN may take a node off the version that it names, to one that it has verified
 * itself before; so the worst that a member can do with it is to hold one version back. It is
 * written down, with the name of who sent it, and the settings can refuse it.
 */
import { join } from 'node:path';
import type { Disposable, Log } from '@peerage/sdk';
import {
  type Announcements,
  type Disk,
  isName,
  type Recall,
  type Rules,
  realDisk,
  replaceFile,
} from '@peerage/update-agent';
import type { RuleSettings } from './settings.js';

/** Recalls that are remembered; each names one bad version. */
const MAX_RECALLS = 64;

interface Stored {
  readonly pins: Readonly<Record<string, string>>;
  readonly recalls: readonly Recall[];
}

export class RuleBook {
  private stored: Stored = { pins: {}, recalls: [] };
  private readonly path: string;
  private readonly settings: RuleSettings;
  private readonly lan: Announcements;
  private readonly log: Log;
  private readonly disk: Disk = realDisk;

  constructor(directory: string, settings: RuleSettings, lan: Announcements, log: Log) {
    this.path = join(directory, 'rules.json');
    this.settings = settings;
    this.lan = lan;
    this.log = log;
  }

  async load(): Promise<void> {
    const bytes = await this.disk.read(this.path);
    if (bytes !== undefined) this.stored = JSON.parse(bytes.toString('utf8')) as Stored;
  }

  rules(): Rules {
    const { pins, recalls, canaryShare, canaryWaitMinutes } = this.settings;
    const canary = { share: canaryShare, waitMs: canaryWaitMinutes * 60_000 };
    return {
      pins: { ...pins, ...this.stored.pins },
      recalls: [...recalls, ...this.stored.recalls],
      ...(canaryShare < 1 ? { canary } : {}),
    };
  }

  async pin(component: string, version: string | undefined): Promise<void> {
    const { [component]: _, ...others } = this.stored.pins;
    const pins = version === undefined ? others : { ...others, [component]: version };
    await this.store({ ...this.stored, pins });
  }

  /** Recalls here, and tells the group. */
  async recall(recall: Recall): Promise<void> {
    await this.take(recall);
    const { component, version, backTo } = recall;
    await this.lan.announce('recall', { component, bad: version, back: backTo });
  }

  /** Takes a recall back, here and in the group: it was a mistake. */
  async endRecall(component: string, version: string): Promise<void> {
    await this.drop(component, version);
    await this.lan.announce('recall-ended', { component, bad: version });
  }

  /** Obeys the recalls of others, unless the settings say otherwise. */
  listen(onRecall: () => void): Promise<Disposable> {
    return this.lan.onAnnouncement(({ name, values, from }) => {
      const { component = '', bad: version = '', back = '' } = values;
      const ends = name === 'recall-ended';
      if (name !== 'recall' && !ends) return;
      if (![component, version, ...(ends ? [] : [back])].every(isName)) return;
      this.log.warn(ends ? 'recall-end-heard' : 'recall-heard', { component, version, back, from });
      if (!this.settings.acceptsRecalls) return;
      const stored = ends
        ? this.drop(component, version)
        : this.take({ component, version, backTo: back });
      stored.then(onRecall, (error: unknown) => {
        this.log.warn('recall-not-stored', { error });
      });
    });
  }

  private async drop(component: string, version: string): Promise<void> {
    const recalls = this.stored.recalls.filter((one) => {
      return one.component !== component || one.version !== version;
    });
    await this.store({ ...this.stored, recalls });
  }

  private async take(recall: Recall): Promise<void> {
    const others = this.stored.recalls.filter(({ component, version }) => {
      return component !== recall.component || version !== recall.version;
    });
    await this.store({ ...this.stored, recalls: [...others, recall].slice(-MAX_RECALLS) });
  }

  private async store(stored: Stored): Promise<void> {
    await replaceFile(this.disk, this.path, Buffer.from(`${JSON.stringify(stored)}\n`));
    this.stored = stored;
  }
}
