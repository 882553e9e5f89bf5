/** The group policy on a node (§1.8): only newer, only the CA's, in force at once, never a stop. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import { PolicyKeeper } from '@peerage/core/membership/policy-keeper.js';
import { createAuthority } from '@peerage/core/trust/authority.js';
import { openPolicy, REVOKED_MAX, signPolicy } from '@peerage/core/trust/group-policy.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import { MovableClock } from './stage.js';

const now = Date.now();
const authority = createAuthority('office', now);
const FROM = { kid: 'k', name: 'pc-1', address: '192.0.2.1', port: 6515 };

function policy(version: number, names: readonly string[], signer = authority): Buffer {
  const revoked = names.map((name) => ({ name, since: now }));
  return signPolicy({ group: 'office', version, issued: now, revoked }, signer).bytes;
}

class World {
  readonly clock = new MovableClock();
  readonly events: string[] = [];
  readonly enforced: string[] = [];
  disk: Buffer | undefined;
  served: Buffer | undefined;
  fetches = 0;
  failing = false;

  readonly believer = {
    anchors: [authority.certificate] as readonly X509Certificate[],
    believe(anchors: readonly X509Certificate[]) {
      this.anchors = anchors;
    },
  };

  readonly keeper = new PolicyKeeper({
    believer: this.believer,
    anchored: () => this.events.push('anchored'),
    ownName: 'pc-9',
    clock: this.clock,
    logger: { log: (level, event) => this.events.push(`${level} ${event}`) },
    load: async () => this.disk,
    save: async (bytes) => {
      if (this.failing) throw new Error('disk full');
      this.disk = bytes;
    },
    fetch: async () => {
      this.fetches += 1;
      if (this.served === undefined) throw new Error('it does not answer');
      return this.served;
    },
    enforce: (version, revoked) => this.enforced.push(`${version} ${[...revoked].join()}`),
  });
}

describe('the group policy as a document', () => {
  it('says what was signed, exactly', () => {
    const bytes = policy(7, ['pc-1', 'a.b-c']);
    const verdict = openPolicy(bytes, [authority.certificate]);
    ok(verdict.ok);
    equal(verdict.value.policy.version, 7);
    deepEqual(
      verdict.value.policy.revoked.map(({ name }) => name),
      ['pc-1', 'a.b-c'],
    );
    ok(verdict.value.bytes.equals(bytes));
  });

  it('holds as many names as it may, of any length', () => {
    const names = Array.from({ length: REVOKED_MAX }, (_, i) => `n${i}`.padEnd(63, 'x'));
    const verdict = openPolicy(policy(1, names), [authority.certificate]);
    ok(verdict.ok && verdict.value.policy.revoked.length === REVOKED_MAX);
  });

  it('does not hold with any byte changed, of another CA, or in another context', () => {
    const bytes = policy(3, ['pc-1']);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      ok(!openPolicy(changed, [authority.certificate]).ok, `byte ${at}`);
    }
    const foreign = createAuthority('office', now);
    ok(!openPolicy(policy(3, [], foreign), [authority.certificate]).ok);
    const pairs = [
      ['type', 'policy'],
      ['version', '1.0'],
      ['group', 'office'],
      ['policy', '3'],
      ['issued', '1'],
      ['revoked', ''],
    ] as const;
    ok(
      openPolicy(sealFrame('peerage/policy/v1', pairs, authority.key), [authority.certificate]).ok,
    );
    const packet = sealFrame('peerage/packet/v1', pairs, authority.key);
    ok(!openPolicy(packet, [authority.certificate]).ok);
  });

  it('is refused where it is signed but makes no sense', () => {
    const sound: Record<string, string> = {
      type: 'policy',
      version: '1.0',
      group: 'office',
      policy: '3',
      issued: '1',
      revoked: 'pc-1@1',
    };
    const wrong: Array<Record<string, string>> = [
      { type: 'attestation' },
      { version: '2.0' },
      { group: 'other' },
      { policy: '0' },
      { policy: '-1' },
      { policy: '9999999999999999' },
      { issued: '' },
      { revoked: 'pc-1' },
      { revoked: 'pc-1@1@1' },
      { revoked: '@1' },
      { revoked: ' ' },
      { revoked: 'a b@1' },
    ];
    for (const change of wrong) {
      const pairs = Object.entries({ ...sound, ...change });
      const bytes = sealFrame('peerage/policy/v1', pairs, authority.key);
      ok(!openPolicy(bytes, [authority.certificate]).ok, JSON.stringify(change));
    }
  });
});

describe('the keeper of the group policy', () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  it('starts with what is on disk, or with nothing', async () => {
    await world.keeper.load();
    equal(world.keeper.version, 0);
    world.disk = policy(3, ['pc-1']);
    await world.keeper.load();
    equal(world.keeper.version, 3);
    deepEqual(world.enforced, ['3 pc-1']);
  });

  it('a damaged one on disk stops nobody', async () => {
    world.disk = Buffer.from('<service nonsense');
    await world.keeper.load();
    equal(world.keeper.version, 0);
    deepEqual(world.events, ['warn policy-refused']);
  });

  it('takes a newer one of a member, enforces, keeps and passes it on', async () => {
    world.served = policy(5, ['pc-1', 'pc-2']);
    await world.keeper.heard(FROM, 5);
    await world.keeper.close();
    deepEqual(world.enforced, ['5 pc-1,pc-2']);
    ok(world.disk?.equals(world.served));
    ok(world.keeper.bytes?.equals(world.served));
  });

  it('an old one never un-revokes, wherever it comes from', async () => {
    ok(world.keeper.take(policy(5, ['pc-1']), 'x'));
    for (const version of [1, 4, 5]) ok(!world.keeper.take(policy(version, []), 'x'));
    await world.keeper.heard(FROM, 5);
    equal(world.fetches, 0);
    deepEqual(world.enforced, ['5 pc-1']);
  });

  it('a foreign one is refused, and who promised it is left alone for a while', async () => {
    world.served = policy(9, [], createAuthority('office', now));
    await world.keeper.heard(FROM, 9);
    await world.keeper.heard(FROM, 9);
    equal(world.fetches, 1);
    equal(world.keeper.version, 0);
    world.served = policy(9, ['pc-1']);
    await world.keeper.heard({ ...FROM, kid: 'other' }, 9);
    equal(world.keeper.version, 9);
  });

  it('a member that does not answer is asked again later', async () => {
    await world.keeper.heard(FROM, 2);
    world.served = policy(2, []);
    await world.keeper.heard(FROM, 2);
    equal(world.keeper.version, 0);
    world.clock.shiftMs += 6000;
    await world.keeper.heard(FROM, 2);
    equal(world.keeper.version, 2);
  });

  it('is in force also when it cannot be written', async () => {
    world.failing = true;
    ok(world.keeper.take(policy(2, ['pc-1']), 'x'));
    await world.keeper.close();
    deepEqual(world.enforced, ['2 pc-1']);
    ok(world.events.includes('error policy-not-saved'));
  });

  it('says so when it is this node that is revoked', () => {
    world.keeper.take(policy(2, ['pc-9']), 'x');
    ok(world.events.includes('error revoked'));
  });
});
