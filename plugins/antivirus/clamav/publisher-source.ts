/**
 * The publisher itself as the source, by the program that it lets in: freshclam, run by the
 * provider into a directory of its own. What it brings is verified and published to the LAN.
 *
 * freshclam keeps whole databases and drops differences, so there are none here; the mirrors of
 * the LAN tell their clients to take the whole, which comes at the speed of the LAN.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { PeeringService } from '@peerage/sdk';
import type { ClamavSource } from './feed.js';
import type { Freshclam } from './freshclam.js';
import type { DatabaseHeader } from './header.js';
import type { ClamavKeys } from './keys.js';
import { readHeader, verifyDatabase } from './verify.js';

/** How long one run of freshclam answers for all databases, in milliseconds. */
const RUN_LASTS_MS = 60_000;
/** How long peers may have what was published, in milliseconds. */
const PUBLISHED_MS = 30 * 24 * 3_600_000;

export interface FreshclamSourceOptions {
  readonly directory: string;
  readonly peering: Pick<PeeringService, 'publish'>;
  readonly keys: ClamavKeys;
  readonly now: () => number;
}

export class FreshclamSource implements ClamavSource {
  private readonly freshclam: Pick<Freshclam, 'run'>;
  private readonly options: FreshclamSourceOptions;
  private readonly published = new Map<string, number>();
  private ranAtMs = Number.NEGATIVE_INFINITY;

  constructor(freshclam: Pick<Freshclam, 'run'>, options: FreshclamSourceOptions) {
    this.freshclam = freshclam;
    this.options = options;
  }

  databaseUrl(database: string, version: number): string {
    return `clamav:${database}-${version}.cvd`;
  }

  differenceUrl(): undefined {
    return undefined;
  }

  signUrl(): undefined {
    return undefined;
  }

  async header(database: string): Promise<DatabaseHeader> {
    const { now, directory, keys, peering } = this.options;
    if (now() - this.ranAtMs >= RUN_LASTS_MS) {
      this.ranAtMs = now();
      await this.freshclam.run();
    }
    const path = join(directory, `${database}.cvd`);
    const header = await readHeader(path);
    if (this.published.get(database) !== header.version) {
      await verifyDatabase(path, database, header.version, keys);
      const uri = this.databaseUrl(database, header.version);
      const body = createReadStream(path, { highWaterMark: 1024 * 1024 });
      await peering.publish({ uri, body, lifetimeMs: PUBLISHED_MS });
      this.published.set(database, header.version);
    }
    return header;
  }
}
