/**
 * Pins and recalls of this node: those of the settings, those of its commands, and recalls that
 * others of the group announce.
 *
 * A recall from the LAN may take a node off the version that it names, to one that it has verified
 * itself before; so the worst that a member can do with it is to hold one version back. It is
 * written down, with the name of who sent it, which alone can take it back, and the settings can
 * refuse it.
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

/** A recall, with the node that told it; without one it was said here. */
interface StoredRecall extends Recall {
  readonly by?: string;
}

interface Stored {
  readonly pins: Readonly<Record<string, string>>;
  readonly recalls: readonly StoredRecall[];
}

export class RuleBook {
  private stored: Stored = { pins: {}, recalls: [] };
  private readonly path: string;
  private readonly settings: RuleSettings;
  private readonly lan: Announcements;
  private readonly log: Log;
  private readonly disk: Disk = realDisk;
  private changing: Promise<unknown> = Promise.resolve();

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
    await this.change(({ recalls }) => [...recalls.filter(isNot(recall)), recall]);
    const { component, version, backTo } = recall;
    await this.lan.announce('recall', { component, bad: version, back: backTo });
  }

  /** Takes a recall back, here and, where it came from here, in the group: it was a mistake. */
  async endRecall(component: string, version: string): Promise<void> {
    await this.change(({ recalls }) => recalls.filter(isNot({ component, version })));
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
      const told = { component, version, backTo: back, by: from };
      const change = ends ? ended(told) : heard(told);
      this.change(change).then(
        (isChanged) => (isChanged ? onRecall() : undefined),
        (error: unknown) => this.log.warn('recall-not-stored', { error }),
      );
    });
  }

  /** One change after the other; false if it changes nothing. */
  private change(change: (stored: Stored) => readonly StoredRecall[]): Promise<boolean> {
    const changing = this.changing.then(async () => {
      const recalls = bounded(change(this.stored));
      if (JSON.stringify(recalls) === JSON.stringify(this.stored.recalls)) return false;
      await this.store({ ...this.stored, recalls });
      return true;
    });
    this.changing = changing.catch(() => undefined);
    return changing;
  }

  private async store(stored: Stored): Promise<void> {
    await replaceFile(this.disk, this.path, Buffer.from(`${JSON.stringify(stored)}\n`));
    this.stored = stored;
  }
}

const isNot = (recall: { component: string; version: string }) => (other: StoredRecall) =>
  other.component !== recall.component || other.version !== recall.version;

/** A recall that another node tells; what was recalled here stays as it was said here. */
function heard(told: StoredRecall): (stored: Stored) => readonly StoredRecall[] {
  return ({ recalls }) => {
    const known = recalls.find((one) => !isNot(told)(one));
    if (known !== undefined && known.by === undefined) return recalls;
    return known?.backTo === told.backTo ? recalls : [...recalls.filter(isNot(told)), told];
  };
}

/** Only who has told a recall ends it. */
function ended(told: StoredRecall): (stored: Stored) => readonly StoredRecall[] {
  return ({ recalls }) => recalls.filter((one) => isNot(told)(one) || one.by !== told.by);
}

/** Of too many the oldest that others have told go first. */
function bounded(recalls: readonly StoredRecall[]): readonly StoredRecall[] {
  const excess = recalls.length - MAX_RECALLS;
  if (excess <= 0) return recalls;
  const told = recalls.filter(({ by }) => by !== undefined).slice(0, excess);
  return recalls.filter((one) => !told.includes(one)).slice(-MAX_RECALLS);
}
