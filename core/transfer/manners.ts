/**
 * What this node owes the Internet line and the origins: a rate, hours, and patience that one node
 * learns and all obey (PROTOCOL §5.6). On the way of every question to an origin.
 *
 * Invariants: a download that has begun is carried on, at the rate; what a person asks for on this
 * machine (`cli`) is urgent and may be fetched outside of the hours; patience spares nobody.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '@peerage/sdk';
import { type Hours, isWithin } from '../base/hours.js';
import { Pace } from '../base/pace.js';
import type { Clock } from '../base/time.js';
import type { Announcement, LanPeering } from '../ports/ports.js';
import { OriginWaits, patienceMs } from './origin-waits.js';

/** Whose announcements these are; no plugin can have this name, it has no dot or slash of theirs. */
export const MANNERS_SERVICE = 'core';
const WAIT = 'wait';
/** The service whose requests are a person's. */
const URGENT_SERVICE = 'cli';

export interface MannersOptions {
  readonly clock: Clock;
  /** 0: no limit. */
  readonly bytesPerSecond: number;
  readonly hours: Hours | undefined;
  readonly peering: Pick<LanPeering, 'announce'>;
}

export class Manners {
  private readonly options: MannersOptions;
  private readonly waits = new OriginWaits();
  private readonly rate: Pace;

  constructor(options: MannersOptions) {
    this.options = options;
    this.rate = new Pace(options.bytesPerSecond);
  }

  /** Whether it is an hour in which the Internet may be used. */
  get withinHours(): boolean {
    const now = new Date(this.options.clock.wallMs());
    return isWithin(this.options.hours, now.getHours() * 60 + now.getMinutes());
  }

  /** @throws CodedError `E_OUTSIDE_HOURS`, `E_ORIGIN_WAITS` */
  demand(url: string, service: string): void {
    if (service !== URGENT_SERVICE && !this.withinHours) {
      throw new CodedError('E_OUTSIDE_HOURS', `${url}: this node may not use the Internet now`, {
        expected: 'an hour within core.internetHours',
        action: 'ask again then, or fetch it now with `peerage get`',
      });
    }
    const { host } = new URL(url);
    const leftMs = this.waits.leftMs(host, this.options.clock.nowMs());
    if (leftMs === 0) return;
    const seconds = Math.ceil(leftMs / 1000);
    throw new CodedError('E_ORIGIN_WAITS', `${host} asked to be left alone for ${seconds} s more`, {
      action: 'ask again then',
    });
  }

  /** An origin has answered: if it asks for patience, all members are told. */
  answered(url: string, status: number, retryAfter: string | undefined): void {
    const { clock, peering } = this.options;
    const waitMs = patienceMs(status, retryAfter, clock.wallMs());
    if (waitMs === undefined || waitMs === 0) return;
    const { host } = new URL(url);
    this.waits.learn(host, waitMs, clock.nowMs());
    try {
      peering.announce(MANNERS_SERVICE, WAIT, { host, seconds: String(Math.ceil(waitMs / 1000)) });
    } catch {
      // Too many at once, or a host too long to be told: we know it ourselves.
    }
  }

  /** A member tells what an origin asked of it. */
  heard({ name, values, from }: Announcement): void {
    const { host = '', seconds = '' } = values;
    if (name !== WAIT || host === '' || !/^\d{1,9}$/.test(seconds)) return;
    this.waits.hear(from, host, Number(seconds) * 1000, this.options.clock.nowMs());
  }

  /** Waits until so many bytes more may be taken from the Internet. */
  async take(bytes: number): Promise<void> {
    const waitMs = this.rate.take(bytes, this.options.clock.nowMs());
    if (waitMs > 0) await pause(waitMs);
  }
}
