/**
 * The one place where the parts of a node are put together, and the only user of the container in
 * the core. The container constructs; a disposable store owns life and ends it in reverse order.
 */
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { DependencyContainer } from 'tsyringe';
import { container, instanceCachingFactory } from 'tsyringe';
import { DisposableStore } from './base/disposal.js';
import { composeContent } from './compose/content.js';
import { composeElections } from './compose/elections.js';
import { composeManners } from './compose/manners.js';
import { composeMembership } from './compose/membership.js';
import type { Ground, NodeOptions, Parts, Register } from './compose/parts.js';
import { makeDriver } from './compose/peering.js';
import { composeSurface } from './compose/surface.js';
import { PluginHosting } from './host/host.js';
import { ClockKeeper } from './membership/clock-keeper.js';
import { CurrentIdentity } from './membership/current-identity.js';
import { OpenAuthority } from './membership/open-authority.js';
import { anchorsWith, PolicyKeeper } from './membership/policy-keeper.js';
import { Renewal } from './membership/renewal.js';
import { Attendant } from './peering/attendant.js';
import { PeeringDriver } from './peering/driver.js';
import { NetworkElections } from './peering/elections.js';
import { NETWORK_SERVICE } from './ports/elections.js';
import type { Logger } from './ports/log.js';
import type { PluginHost } from './ports/ports.js';
import { ControlService } from './service/control.js';
import {
  loadAnchors,
  loadElections,
  loadIdentity,
  loadPolicy,
  prepareState,
  takeLock,
} from './state.js';
import { systemClock } from './system.js';
import { MANNERS_SERVICE, Manners } from './transfer/manners.js';
import { PeerFetcher } from './transfer/peer-fetch.js';
import { ObjectServer } from './transfer/serve.js';
import { ObjectStore } from './transfer/store.js';
import type { Identity } from './trust/authority.js';
import { MemberKeyring } from './trust/keyring.js';
import { SenderClocks } from './wire/clocks.js';

export type { NodeOptions } from './compose/parts.js';

const MIB = 1024 * 1024;

/** A running node. */
export interface RunningNode {
  readonly identity: Identity;
  readonly solo: boolean;
  readonly host: PluginHost;
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
  if (!solo) {
    const anchors = await loadAnchors(stateDirectory, loaded);
    identity.believe(anchorsWith(anchors, await loadPolicy(stateDirectory)));
  }
  const authority = new OpenAuthority(options, identity);
  await authority.open();
  const store = await ObjectStore.open({
    directory: core.storeDirectory === '' ? join(stateDirectory, 'store') : core.storeDirectory,
    quotaBytes: core.storeQuotaMiB * MIB,
    logger,
  });
  life.onDispose(() => store.close());
  const boot = randomBytes(16).toString('base64url');
  const keyring = new MemberKeyring(identity, () => systemClock.wallMs());
  watchOver(keyring, store, logger);
  const clocks = new SenderClocks();
  const elections = await loadElections(stateDirectory);
  const ground = { identity, solo, store, authority, keyring, clocks, elections, boot };
  const parts = compose({ ...options, ...ground });

  const server = parts.resolve(ObjectServer);
  life.onDispose(() => server.close());
  const fetcher = parts.resolve(PeerFetcher);
  life.onDispose(() => fetcher.close());
  const driver = parts.resolve(PeeringDriver);
  const keeper = parts.resolve(PolicyKeeper);
  if (!solo) await keeper.load();
  life.onDispose(() => keeper.close());
  const clockKeeper = parts.resolve(ClockKeeper);
  if (!solo) await clockKeeper.start();
  life.onDispose(() => clockKeeper.stop());
  const manners = parts.resolve(Manners);
  const heard = driver.onAnnouncement(MANNERS_SERVICE, (told) => manners.heard(told));
  life.onDispose(() => heard.dispose());
  await driver.start();
  life.onDispose(() => driver.stop());
  openElections(parts, life);
  const renewal = parts.resolve(Renewal);
  if (!solo) renewal.start();
  life.onDispose(() => renewal.stop());
  const control = parts.resolve(ControlService);
  await control.open();
  life.onDispose(() => control.close());
  const host = parts.resolve(PluginHosting);
  life.onDispose(() => host.stop());
  await host.start();
  return { identity, solo, host, stop: () => life.dispose() };
}

/** What the store holds was said before; who contradicts it from now on is noted. */
function watchOver({ equivocations }: MemberKeyring, store: ObjectStore, logger: Logger): void {
  for (const { attestation, signer, id } of store.entries())
    equivocations.agrees(attestation, signer, id);
  equivocations.onFound = (found) => logger.log('error', 'equivocation', { ...found });
}

/** Takes part in the network-wide election at once; plugins join theirs when they start. */
function openElections(parts: DependencyContainer, life: DisposableStore): void {
  const elections = parts.resolve(NetworkElections);
  const attendant = parts.resolve(Attendant);
  life.onDispose(() => attendant.close());
  life.onDispose(() => elections.close());
  elections.join(NETWORK_SERVICE);
  void elections.open();
}

/** Registers how each part is made; the container makes each once, when it is first asked for. */
function compose(ground: Ground): DependencyContainer {
  const parts = container.createChildContainer();
  const seen: Parts = { resolve: (token) => parts.resolve(token as never) };
  const register: Register = (token, make) => {
    parts.register(token as never, { useFactory: instanceCachingFactory(() => make(seen)) });
  };
  register(PeeringDriver, (p) => makeDriver(ground, p));
  composeManners(register, ground);
  composeContent(register, ground);
  composeElections(register, ground);
  composeMembership(register, ground);
  composeSurface(register, ground);
  return parts;
}
