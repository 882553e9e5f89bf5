/** How the elections are put together: the machine's placement, the shell, the backup's watch. */
import { Attendant } from '../peering/attendant.js';
import { PeeringDriver } from '../peering/driver.js';
import { NetworkElections } from '../peering/elections.js';
import { Placement, type Reached } from '../peering/placement.js';
import { saveElections } from '../state.js';
import { systemClock } from '../system.js';
import { OriginFetcher } from '../transfer/origin.js';
import { RequestPath } from '../transfer/request.js';
import { type Ground, type Register } from './parts.js';

/** A probe of the Internet takes no longer. */
const PROBE_MS = 1500;
/** A download says something about the line when it has gone on for so long. */
const PACE_MIN_MS = 1000;

export function composeElections(register: Register, ground: Ground): void {
  const { identity, solo, configuration, logger, stateDirectory, elections: saved } = ground;
  const { internet, election } = configuration.core;
  register(Placement, (p) => {
    const reach = (url: string) => answers(p.resolve(OriginFetcher), url);
    const interfaces = () => p.resolve(PeeringDriver).cards;
    const probeUrls = solo ? [] : election.probeUrls;
    const { weight } = election;
    const nowMs = () => systemClock.nowMs();
    const options = { weight, internet, probeUrls, reach, interfaces, nowMs };
    return new Placement(options, saved.bytesPerSecond);
  });
  register(Attendant, (p) => {
    return new Attendant(identity, (service) => {
      p.resolve(PeeringDriver).elect((elections, now) => {
        elections.get(service)?.connectionLost(now);
      });
    });
  });
  register(NetworkElections, (p) => {
    return new NetworkElections({
      name: identity.name,
      clock: systemClock,
      logger,
      placement: p.resolve(Placement),
      saved,
      save: (changed) => saveElections(stateDirectory, changed),
      settings: election,
      elect: (change) => p.resolve(PeeringDriver).elect(change),
      attend: (service, provider) => p.resolve(Attendant).attend(service, provider),
      paces: () => pacesOf(p.resolve(RequestPath)),
    });
  });
}

/** Any answer shows that the Internet is there. */
async function answers(origin: OriginFetcher, url: string): Promise<Reached> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Reached>((resolve) => {
    timer = setTimeout(() => resolve('silent'), PROBE_MS);
  });
  const answered = origin.fetch('HEAD', url, {}).then(
    ({ cancel }): Reached => {
      cancel();
      return 'answered';
    },
    (error: unknown): Reached => (isNoWay(error) ? 'no-way' : 'silent'),
  );
  const result = await Promise.race([answered, late]);
  clearTimeout(timer);
  return result;
}

/** Whether the system has no route for the packet. */
function isNoWay(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && at.code === 'ENETUNREACH') return true;
  }
  return false;
}

function pacesOf(requests: RequestPath): number[] {
  return requests
    .downloads()
    .filter(({ source, startedMsAgo }) => source === 'origin' && startedMsAgo >= PACE_MIN_MS)
    .map(({ bytesPerSecond }) => bytesPerSecond);
}
