/** How the content shell is put together: store, origin, peers, object server, request path. */
import { PluginHosting } from '../host/host.js';
import { EnrolmentDesk } from '../membership/desk.js';
import { PolicyKeeper } from '../membership/policy-keeper.js';
import { PeeringDriver } from '../peering/driver.js';
import { Placement } from '../peering/placement.js';
import { flightPath } from '../protocol/claim.js';
import { systemClock } from '../system.js';
import { ErrandDesk } from '../transfer/errand-desk.js';
import { Errands } from '../transfer/errands.js';
import { Fetch } from '../transfer/fetch.js';
import { AddressGuard } from '../transfer/guard.js';
import { Manners } from '../transfer/manners.js';
import { OriginFetcher } from '../transfer/origin.js';
import { OwnContentService } from '../transfer/own-content.js';
import { PeerFetcher } from '../transfer/peer-fetch.js';
import { RequestPath } from '../transfer/request.js';
import type { Relays } from '../transfer/serve.js';
import { ObjectServer } from '../transfer/serve.js';
import { WatchedOrigin } from '../transfer/watched-origin.js';
import { givingOf } from './manners.js';
import { type Ground, type Register, sha256 } from './parts.js';

export function composeContent(register: Register, ground: Ground): void {
  composeSources(register, ground);
  composeErrands(register, ground);
  composeRequests(register, ground);
}

/** Where followers on other nodes find a download of ours. */
function flightPathOf({ boot }: Ground): (href: string, variant: string) => string {
  return (href, variant) => flightPath(sha256, boot, href, variant);
}

/** The origins, the peers, and what peers get from us. */
function composeSources(register: Register, ground: Ground): void {
  const { identity, store, configuration, logger, keyring } = ground;
  const { upstreamProxy, extraCa, originAllow } = configuration.core;
  register(AddressGuard, () => new AddressGuard(originAllow));
  register(OriginFetcher, (p) => {
    return new OriginFetcher({ guard: p.resolve(AddressGuard), upstreamProxy, extraCa });
  });
  register(PeerFetcher, (p) => {
    return new PeerFetcher(identity, keyring, (kid) => p.resolve(PeeringDriver).locate(kid));
  });
  register(ObjectServer, (p) => {
    const relays: Relays = {
      flight: (path) => p.resolve(RequestPath).relays.flight(path),
      finished: (path) => p.resolve(RequestPath).relays.finished(path),
      object: (sha) => p.resolve(RequestPath).relays.object(sha),
    };
    const policy = () => p.resolve(PolicyKeeper).bytes;
    const desk = ground.authority.current === undefined ? undefined : p.resolve(EnrolmentDesk);
    const errands: Pick<ErrandDesk, 'answer'> = {
      answer: (...errand) => p.resolve(ErrandDesk).answer(...errand),
    };
    const giving = givingOf(ground, p);
    return new ObjectServer({
      identity,
      keyring,
      store,
      relays,
      logger,
      policy,
      succession: () => p.resolve(PolicyKeeper).succession,
      desk,
      errands,
      giving,
    });
  });
}

/** What is done for a node without Internet, and what such a node has done for it (§5.5). */
function composeErrands(register: Register, ground: Ground): void {
  const { internet } = ground.configuration.core;
  register(ErrandDesk, (p) => {
    const transfer = p.resolve(RequestPath);
    const own = p.resolve(OwnContentService);
    const rules = p.resolve(PluginHosting);
    return new ErrandDesk({ transfer, own, rules, internet, flightPath: flightPathOf(ground) });
  });
  register(Errands, (p) => {
    const provider = (service: string) => p.resolve(PeeringDriver).provider(service);
    return new Errands({ peers: p.resolve(PeerFetcher), provider });
  });
}

/** The request path, and what a download of its does. */
function composeRequests(register: Register, ground: Ground): void {
  const { identity, store, configuration, logger, keyring } = ground;
  const { internet } = configuration.core;
  const clock = systemClock;
  register(Fetch, (p) => {
    const peering = p.resolve(PeeringDriver);
    const origin = new WatchedOrigin(p.resolve(OriginFetcher), p.resolve(Placement));
    const peers = p.resolve(PeerFetcher);
    const errands = p.resolve(Errands);
    const about = { identity, keyring, clock, logger, internet, errands };
    const manners = p.resolve(Manners);
    return new Fetch({ store, origin, peers, peering, manners, ...about });
  });
  register(OwnContentService, (p) => {
    const transfer = p.resolve(RequestPath);
    const peering = p.resolve(PeeringDriver);
    const origin = p.resolve(OriginFetcher);
    const errands = p.resolve(Errands);
    const about = { identity, clock, internet, errands };
    return new OwnContentService({ store, transfer, peering, origin, ...about });
  });
  register(RequestPath, (p) => {
    const guard = p.resolve(AddressGuard);
    return new RequestPath({
      store,
      fetch: p.resolve(Fetch),
      guard,
      clock,
      logger,
      flightPath: flightPathOf(ground),
      nodeName: identity.name,
    });
  });
}
