/**
 * The one place where the parts of a node are put together, and the only user of the container in
 * the core. The container constructs; a disposable store owns life and ends it in reverse order.
 */
import 'reflect-metadata';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { container, type DependencyContainer, instanceCachingFactory } from 'tsyringe';
import { assert } from './base/assert.js';
import { DisposableStore } from './base/disposal.js';
import { PluginHosting } from './host/host.js';
import { CurrentIdentity } from './membership/current-identity.js';
import { EnrolmentDesk } from './membership/desk.js';
import { Ledger } from './membership/ledger.js';
import { openAuthority } from './membership/open-authority.js';
import { PolicyKeeper } from './membership/policy-keeper.js';
import { Renewal } from './membership/renewal.js';
import { PeeringDriver } from './peering/driver.js';
import { Introducer } from './peering/introduce.js';
import type { Configuration } from './ports/configuration.js';
import type { Logger } from './ports/log.js';
import { flightPath } from './protocol/claim.js';
import type { Copies } from './protocol/context.js';
import { Peer } from './protocol/peer.js';
import { ControlService } from './service/control.js';
import {
  identityPath,
  loadIdentity,
  loadJoinedAt,
  loadPolicy,
  prepareState,
  saveIdentity,
  savePolicy,
  takeLock,
} from './state.js';
import { SystemRandom, systemClock } from './system.js';
import { Fetch } from './transfer/fetch.js';
import { AddressGuard } from './transfer/guard.js';
import { OriginFetcher } from './transfer/origin.js';
import { PeerFetcher } from './transfer/peer-fetch.js';
import { RequestPath } from './transfer/request.js';
import { resignOwn } from './transfer/resign.js';
import { ObjectServer, type Relays } from './transfer/serve.js';
import { ObjectStore } from './transfer/store.js';
import type { Authority, Identity } from './trust/authority.js';
import { POLICY_BYTES_MAX } from './trust/group-policy.js';
import { MemberKeyring } from './trust/keyring.js';
import { CORE_VERSION } from './version.js';
import { Opener } from './wire/open.js';
import { Sealer, type SealOptions } from './wire/seal.js';

export interface NodeOptions {
  readonly stateDirectory: string;
  readonly configuration: Configuration;
  readonly logger: Logger;
  /** The file with the passphrase of this machine's CA, if it has an encrypted one. */
  readonly passphraseFile?: string | undefined;
}

/** What was read or opened before anything could be constructed. */
interface Ground extends NodeOptions {
  readonly identity: CurrentIdentity;
  readonly solo: boolean;
  readonly store: ObjectStore;
  /** The group's CA, if it is on this machine and open. */
  readonly authority: Authority | undefined;
}

const MIB = 1024 * 1024;
const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** A running node. */
export interface RunningNode {
  readonly identity: Identity;
  readonly solo: boolean;
  /** Stops everything in reverse order. */
  stop(): Promise<void>;
}

/** Starts a node. @throws CodedError when it cannot; nothing is left running then */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const life = new DisposableStore();
  try {
    return await start(options, life);
  } catch (error) {
    await life.dispose();
    throw error;
  }
}

async function start(options: NodeOptions, life: DisposableStore): Promise<RunningNode> {
  const { stateDirectory, configuration, logger } = options;
  const { core } = configuration;
  await prepareState(stateDirectory);
  life.onDispose(await takeLock(stateDirectory));
  const { identity: loaded, solo } = await loadIdentity(stateDirectory);
  const identity = new CurrentIdentity(loaded);
  const authority = await openAuthority(options, loaded);
  const store = await ObjectStore.open({
    directory: core.storeDirectory === '' ? join(stateDirectory, 'store') : core.storeDirectory,
    quotaBytes: core.storeQuotaMiB * MIB,
    logger,
  });
  life.onDispose(() => store.close());
  const parts = compose({ ...options, identity, solo, store, authority });

  const server = parts.resolve(ObjectServer);
  life.onDispose(() => server.close());
  const fetcher = parts.resolve(PeerFetcher);
  life.onDispose(() => fetcher.close());
  const driver = parts.resolve(PeeringDriver);
  const keeper = parts.resolve(PolicyKeeper);
  if (!solo) await keeper.load();
  life.onDispose(() => keeper.close());
  await driver.start();
  life.onDispose(() => driver.stop());
  const renewal = parts.resolve(Renewal);
  if (!solo) renewal.start();
  life.onDispose(() => renewal.stop());
  const control = parts.resolve(ControlService);
  await control.open();
  life.onDispose(() => control.close());
  const host = parts.resolve(PluginHosting);
  life.onDispose(() => host.stop());
  await host.start();
  return { identity, solo, stop: () => life.dispose() };
}

type Register = <T>(
  token: abstract new (...args: never[]) => T,
  make: (parts: DependencyContainer) => T,
) => void;

/** Registers how each part is made; the container makes each once, when it is first asked for. */
function compose(ground: Ground): DependencyContainer {
  const parts = container.createChildContainer();
  const register: Register = (token, make) => {
    parts.register(token as never, { useFactory: instanceCachingFactory(make) });
  };
  const boot = randomBytes(16).toString('base64url');
  const keyring = new MemberKeyring(ground.identity.ca, () => systemClock.wallMs());
  register(PeeringDriver, (p) => makeDriver(ground, boot, keyring, p));
  composeContent(register, ground, boot, keyring);
  composeMembership(register, ground, keyring);
  composeSurface(register, ground);
  return parts;
}

function composeContent(
  register: Register,
  ground: Ground,
  boot: string,
  keyring: MemberKeyring,
): void {
  const { identity, store, configuration, logger } = ground;
  const { upstreamProxy, extraCa, originAllow, internet } = configuration.core;
  const clock = systemClock;
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
    const desk = ground.authority === undefined ? undefined : p.resolve(EnrolmentDesk);
    return new ObjectServer({ identity, keyring, store, relays, logger, policy, desk });
  });
  register(Fetch, (p) => {
    const peering = p.resolve(PeeringDriver);
    const origin = p.resolve(OriginFetcher);
    const peers = p.resolve(PeerFetcher);
    return new Fetch({ store, origin, peers, peering, identity, keyring, clock, logger, internet });
  });
  register(RequestPath, (p) => {
    const guard = p.resolve(AddressGuard);
    const flightPathOf = (href: string, variant: string) => flightPath(sha256, boot, href, variant);
    return new RequestPath({
      store,
      fetch: p.resolve(Fetch),
      guard,
      clock,
      logger,
      flightPath: flightPathOf,
      nodeName: identity.name,
    });
  });
}

/** Joining, the group policy, renewal. */
function composeMembership(register: Register, ground: Ground, keyring: MemberKeyring): void {
  const { identity, store, stateDirectory, logger, authority } = ground;
  const clock = systemClock;
  const ledger = new Ledger(stateDirectory);
  register(EnrolmentDesk, (p) => {
    assert(authority !== undefined, 'only the node that has the CA has a desk');
    const policy = () => p.resolve(PolicyKeeper).bytes;
    return new EnrolmentDesk({ authority, ledger, keyring, policy, clock, logger });
  });
  register(PolicyKeeper, (p) => {
    return new PolicyKeeper({
      ca: identity.ca,
      ownName: identity.name,
      clock,
      logger,
      load: () => loadPolicy(stateDirectory),
      save: (bytes) => savePolicy(stateDirectory, bytes),
      fetch: (from) => p.resolve(PeerFetcher).getWhole(from, '/g/policy', POLICY_BYTES_MAX),
      enforce: (version, revoked) => {
        keyring.revoke(revoked);
        p.resolve(ObjectServer).dropRevoked();
        p.resolve(PeerFetcher).dropRevoked();
        p.resolve(PeeringDriver).policyGrew(version, revoked);
        void store.dropSigners(revoked).then(
          (entries) => logger.log('info', 'attestations-purged', { entries }),
          (error: unknown) => logger.log('error', 'attestations-not-purged', { error }),
        );
      },
    });
  });
  register(Renewal, (p) => {
    return new Renewal({
      identity,
      authority,
      ledger,
      clock,
      logger,
      joinedAt: () => loadJoinedAt(stateDirectory),
      members: () => p.resolve(PeeringDriver).endpoints(),
      use: async (renewed) => {
        await saveIdentity(identityPath(stateDirectory), renewed);
        identity.replace(renewed);
        p.resolve(ObjectServer).renewed();
        p.resolve(PeerFetcher).renewed();
        p.resolve(PeeringDriver).renewed();
        await resignOwn(store, renewed);
      },
    });
  });
}

function composeSurface(register: Register, ground: Ground): void {
  const { identity, solo, configuration, logger, stateDirectory } = ground;
  register(PluginHosting, (p) => {
    const transfer = p.resolve(RequestPath);
    const coreVersion = CORE_VERSION;
    return new PluginHosting({
      configuration,
      stateDirectory,
      transfer,
      coreVersion,
      clock: systemClock,
      logger,
    });
  });
  register(ControlService, (p) => {
    const { name, group } = identity;
    const about = {
      name,
      group,
      get kid() {
        return identity.kid;
      },
      solo,
      version: CORE_VERSION,
    };
    return new ControlService({
      stateDirectory,
      about,
      policy: solo ? undefined : p.resolve(PolicyKeeper),
      peering: p.resolve(PeeringDriver),
      transfer: p.resolve(RequestPath),
      server: p.resolve(ObjectServer),
      host: p.resolve(PluginHosting),
      logger,
    });
  });
}

function makeDriver(
  ground: Ground,
  boot: string,
  keyring: MemberKeyring,
  parts: DependencyContainer,
): PeeringDriver {
  const { identity, solo, configuration, logger } = ground;
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
    server: core.roles !== 'client',
    internet: core.internet,
    broadcastResponses: core.broadcastResponses,
    roundTripInitialMs: core.roundTripInitialMs,
    peering: !solo,
    copies,
    random: new SystemRandom(),
    sha256,
  });
  const { group } = identity;
  const opener = new Opener({
    group,
    get ownKid() {
      return identity.kid;
    },
    keyring,
  });
  const introducer = new Introducer(keyring, systemClock, core.objectPort);
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
