/** How the packet shell is put together around the heart. */
import { PolicyKeeper } from '../membership/policy-keeper.js';
import { PeeringDriver } from '../peering/driver.js';
import { NetworkElections } from '../peering/elections.js';
import { Introducer } from '../peering/introduce.js';
import { Placement } from '../peering/placement.js';
import type { Copies } from '../protocol/context.js';
import { Peer } from '../protocol/peer.js';
import { SystemRandom, systemClock } from '../system.js';
import { Manners } from '../transfer/manners.js';
import { RequestPath } from '../transfer/request.js';
import { ObjectServer } from '../transfer/serve.js';
import { Serving } from '../transfer/serving.js';
import type { Identity } from '../trust/authority.js';
import { Opener } from '../wire/open.js';
import type { SealOptions } from '../wire/seal.js';
import { Sealer } from '../wire/seal.js';
import { type Ground, type Parts, sha256 } from './parts.js';

export function makeDriver(ground: Ground, parts: Parts): PeeringDriver {
  const { identity, solo, configuration, logger, keyring, boot } = ground;
  const { core } = configuration;
  const copies: Copies = {
    find: (query) => parts.resolve(RequestPath).copies.find(query),
    downloading: (query) => parts.resolve(RequestPath).copies.downloading(query),
  };
  const peer = new Peer({
    get kid() {
      return identity.kid;
    },
    boot,
    profile: core.profile,
    client: core.roles !== 'server',
    get server() {
      return core.roles !== 'client' && parts.resolve(Serving).on;
    },
    get internet() {
      const { reaches } = parts.resolve(Placement);
      return core.internet && reaches && parts.resolve(Manners).withinHours;
    },
    broadcastResponses: core.broadcastResponses,
    roundTripInitialMs: core.roundTripInitialMs,
    peering: !solo,
    copies,
    random: new SystemRandom(),
    sha256,
    elections: { name: identity.name, epochs: new Map(Object.entries(ground.elections.epochs)) },
  });
  const { group } = identity;
  const opener = new Opener({
    group,
    get ownKid() {
      return identity.kid;
    },
    keyring,
    clocks: ground.clocks,
  });
  const succeed = (bytes: Buffer) => void parts.resolve(PolicyKeeper).succeed(bytes);
  const introducer = new Introducer(keyring, systemClock, core.objectPort, succeed);
  opener.onUnknown = (unknown, address) => introducer.unknown(unknown, address);
  return new PeeringDriver({
    peer,
    opener,
    sealer: new Sealer(sealing(identity, boot, core.objectPort)),
    clock: systemClock,
    logger,
    peering: !solo,
    address: core.address,
    packetPort: core.packetPort,
    onInterface: ({ address }) => parts.resolve(ObjectServer).listen(address, core.objectPort),
    onPolicy: (from, version) => void parts.resolve(PolicyKeeper).heard(from, version),
    onElection: (effect) => parts.resolve(NetworkElections).perform(effect),
  });
}

/** What packets are sealed with; read anew at each packet, for the identity may be renewed. */
function sealing(identity: Identity, boot: string, port: number): SealOptions {
  return {
    group: identity.group,
    boot,
    port,
    get kid() {
      return identity.kid;
    },
    get key() {
      return identity.key;
    },
    get certificate() {
      return identity.certificate.raw.toString('base64url');
    },
  };
}
