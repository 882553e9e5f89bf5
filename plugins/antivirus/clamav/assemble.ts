/** Puts the parts for ClamAV together, by the settings of the plugin. */
import { mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Disposable, Log, PeeringService, ProgramService } from '@peerage/sdk';
import { Shelf } from '@peerage/update-agent';
import type { ClamavSettings } from '../settings.js';
import { Clamd } from './clamd.js';
import { Databases } from './databases.js';
import { ClamavFeed } from './feed.js';
import { Freshclam } from './freshclam.js';
import { PUBLISHER_KEYS } from './keys.js';
import { Library } from './library.js';
import { type Mirror, openMirror } from './mirror.js';
import { FreshclamSource } from './publisher-source.js';
import { MirrorSource } from './source.js';

export interface ClamavParts {
  readonly feed: ClamavFeed;
  readonly shelf: Shelf;
  readonly mirror: Mirror & Disposable;
}

export interface ClamavPorts {
  readonly directory: string;
  readonly peering: PeeringService;
  readonly programs: ProgramService;
  readonly log: Log;
  readonly now: () => number;
}

export async function assembleClamav(
  settings: ClamavSettings,
  ports: ClamavPorts,
): Promise<ClamavParts> {
  const {
    databases,
    mode,
    listen,
    databaseDirectory,
    clamdSocket,
    keys = PUBLISHER_KEYS,
  } = settings;
  const { directory, peering, programs, log, now } = ports;
  await mkdir(directory, { recursive: true });
  const shelf = await Shelf.open(join(directory, 'versions'));
  const freshclam = {
    programs,
    directory,
    databases,
    now,
    runsPerDay: settings.freshclamRunsPerDay,
  };
  const source =
    settings.source === 'freshclam'
      ? new FreshclamSource(
          new Freshclam({
            // Into this node's own directory, which is nobody else's to write.
            ...{
              ...freshclam,
              name: 'publisher',
              databaseOwner: ownName() ?? settings.databaseOwner,
            },
            databaseDirectory: join(directory, 'publisher'),
          }),
          { directory: join(directory, 'publisher'), peering, keys, now },
        )
      : new MirrorSource(settings.source, peering);
  const library = new Library({
    ...{ shelf, directory: join(directory, 'on-demand'), peering, keys, log, now },
    urlOfDatabase: (database, version) => source.databaseUrl(database, version),
    urlOfDifference: (database, version) => source.differenceUrl(database, version),
    urlOfSign: (name) => source.signUrl(name),
  });
  await library.restore(databases);
  const mirror = await openMirror(listen, library, log);
  const inForce = new Databases({
    ...{ directory: databaseDirectory, workDirectory: directory, programs },
    clamd: clamdSocket === '' ? undefined : new Clamd(clamdSocket),
  });
  if (mode !== 'mirror') await inForce.recover();
  const feed = new ClamavFeed({
    ...{ databases, source, shelf, library, keys, mode, log, directory: inForce },
    freshclam: new Freshclam({
      ...{ ...freshclam, name: 'own', databaseDirectory, databaseOwner: settings.databaseOwner },
      mirror: `http://${listen.address}:${mirror.port}`,
    }),
  });
  return { feed, shelf, mirror };
}

/** The user that this node runs as; some containers have no name for it. */
function ownName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
