/** How joining, the group policy and renewal are put together. */
import { assert } from '../base/assert.js';
import { ClockKeeper } from '../membership/clock-keeper.js';
import { EnrolmentDesk } from '../membership/desk.js';
import { Ledger } from '../membership/ledger.js';
import { PolicyKeeper } from '../membership/policy-keeper.js';
import { Renewal } from '../membership/renewal.js';
import { PeeringDriver } from '../peering/driver.js';
import {
  identityPath,
  loadClocks,
  loadJoinedAt,
  loadPolicy,
  saveAnchors,
  saveClocks,
  saveIdentity,
  savePolicy,
} from '../state.js';
import { SystemRandom, systemClock } from '../system.js';
import { PeerFetcher } from '../transfer/peer-fetch.js';
import { resignOwn } from '../transfer/resign.js';
import { ObjectServer } from '../transfer/serve.js';
import type { Authority } from '../trust/authority.js';
import { POLICY_BYTES_MAX } from '../trust/group-policy.js';
import type { Ground, Parts, Register } from './parts.js';

/** Joining, the group policy, renewal. */
export function composeMembership(register: Register, ground: Ground): void {
  const { identity, store, stateDirectory, logger, authority, keyring } = ground;
  const clock = systemClock;
  const ledger = new Ledger(stateDirectory);
  const here = (): Authority => {
    const { current } = authority;
    assert(current !== undefined, 'only the node that has the CA has a desk');
    return current;
  };
  register(EnrolmentDesk, (p) => {
    const policy = () => p.resolve(PolicyKeeper).bytes;
    const anchors = () => identity.anchors;
    return new EnrolmentDesk({ authority: here, anchors, ledger, keyring, policy, clock, logger });
  });
  const rotated = async (p: Parts): Promise<void> => {
    await saveAnchors(stateDirectory, identity);
    // The CA of this machine is judged by the policy on disk.
    await p.resolve(PolicyKeeper).close();
    await authority.open();
    p.resolve(Renewal).rotated();
  };
  register(PolicyKeeper, (p) => {
    return new PolicyKeeper({
      believer: identity,
      ownName: identity.name,
      clock,
      logger,
      load: () => loadPolicy(stateDirectory),
      save: (bytes) => savePolicy(stateDirectory, bytes),
      fetch: (from) => p.resolve(PeerFetcher).getWhole(from, '/g/policy', POLICY_BYTES_MAX),
      anchored: () => {
        p.resolve(ObjectServer).renewed();
        p.resolve(PeerFetcher).renewed();
        void rotated(p).catch((error: unknown) =>
          logger.log('error', 'anchors-not-kept', { error }),
        );
      },
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
  register(ClockKeeper, () => {
    return new ClockKeeper({
      clocks: ground.clocks,
      clock,
      logger,
      load: () => loadClocks(stateDirectory),
      save: (clocks) => saveClocks(stateDirectory, clocks),
    });
  });
  composeRenewal(register, ground, ledger);
}

/** New certificates in time, and when another CA followed. */
function composeRenewal(register: Register, ground: Ground, ledger: Ledger): void {
  const { identity, store, stateDirectory, logger, authority } = ground;
  const clock = systemClock;
  register(Renewal, (p) => {
    return new Renewal({
      identity,
      authority: () => authority.current,
      ledger,
      clock,
      random: new SystemRandom(),
      logger,
      joinedAt: () => loadJoinedAt(stateDirectory),
      members: () => p.resolve(PeeringDriver).endpoints(),
      use: async (renewed) => {
        await saveIdentity(identityPath(stateDirectory), renewed);
        identity.replace(renewed);
        p.resolve(ObjectServer).renewed();
        p.resolve(PeerFetcher).renewed();
        p.resolve(PeeringDriver).renewed();
        await saveAnchors(stateDirectory, identity);
        await resignOwn(store, renewed);
      },
    });
  });
}
