/** Changing the CA (§1.9): what the commands write, who is renewed by whom, and a power cut. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '@peerage/core/base/random.js';
import { CurrentIdentity } from '@peerage/core/membership/current-identity.js';
import { Ledger } from '@peerage/core/membership/ledger.js';
import { anchorsWith } from '@peerage/core/membership/policy-keeper.js';
import { Renewal } from '@peerage/core/membership/renewal.js';
import { revokeName } from '@peerage/core/membership/revoke.js';
import {
  namesOfBefore,
  retireAuthority,
  rotateAuthority,
} from '@peerage/core/membership/rotate.js';
import {
  loadAnchors,
  loadAuthority,
  loadPolicy,
  makeAuthority,
  saveAnchors,
  savePolicy,
  stageAuthority,
} from '@peerage/core/state.js';
import { createAuthority, issueIdentity } from '@peerage/core/trust/authority.js';
import { openPolicy, signPolicy } from '@peerage/core/trust/group-policy.js';
import { ADDRESS, Stage } from './stage.js';

describe('the change of a CA on disk', () => {
  let state: string;

  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'peerage-rotate-'));
  });

  afterEach(() => rmSync(state, { recursive: true, force: true }));

  const policyUnder = async (anchors: Parameters<typeof openPolicy>[1]) => {
    const verdict = openPolicy((await loadPolicy(state)) ?? Buffer.alloc(0), anchors);
    return verdict.ok ? verdict.value.policy : undefined;
  };

  it('keeps who is revoked, through the change, a revocation and the retirement', async () => {
    const before = await makeAuthority(state, 'office');
    await revokeName(state, before, 'pc-1');
    const next = await rotateAuthority(state, before, undefined);
    ok((await loadAuthority(state)).certificate.raw.equals(next.certificate.raw));
    await revokeName(state, next, 'pc-2');
    await retireAuthority(state, next);
    for (const anchor of [before, next]) {
      const policy = await policyUnder([anchor.certificate]);
      deepEqual(
        policy?.revoked.map(({ name }) => name),
        ['pc-1', 'pc-2'],
      );
      deepEqual([policy?.version, policy?.change?.previous], [4, undefined]);
    }
  });

  it('is one at a time', async () => {
    const before = await makeAuthority(state, 'office');
    await rejects(retireAuthority(state, before), { code: 'E_CA_NOT_ROTATING' });
    const next = await rotateAuthority(state, before, undefined);
    await rejects(rotateAuthority(state, next, undefined), { code: 'E_CA_ROTATING' });
    await retireAuthority(state, next);
    await rotateAuthority(state, next, undefined);
  });

  it('is believed again after a restart, also by a node that was left behind', async () => {
    const before = await makeAuthority(state, 'office');
    const left = new CurrentIdentity(issueIdentity(before, 'pc-1', 30, Date.now()));
    const next = await rotateAuthority(state, before, undefined);
    await retireAuthority(state, next);
    left.believe(anchorsWith(left.anchors, await loadPolicy(state)));
    await revokeName(state, next, 'pc-2');
    const newest = await rotateAuthority(state, next, undefined);
    const policy = await loadPolicy(state);
    left.believe(anchorsWith(left.anchors, policy));
    await saveAnchors(state, left);
    const saved = await loadAnchors(state, issueIdentity(before, 'pc-1', 30, Date.now()));
    const anchors = anchorsWith(saved, policy);
    deepEqual(
      anchors.map(({ raw }) => raw),
      [newest.certificate.raw, next.certificate.raw],
    );
    deepEqual(
      (await policyUnder(anchors))?.revoked.map(({ name }) => name),
      ['pc-2'],
    );
    const renewed = issueIdentity(newest, 'pc-1', 30, Date.now());
    equal(await loadAnchors(state, renewed), renewed.anchors);
  });

  it('is not undone by whoever still holds the CA before', async () => {
    const before = await makeAuthority(state, 'office');
    const next = await rotateAuthority(state, before, undefined);
    await revokeName(state, before, 'pc-1');
    for (const anchor of [before, next]) equal(await policyUnder([anchor.certificate]), undefined);
  });

  it('encrypts the new key as the one before was', async () => {
    const before = await makeAuthority(state, 'office', 'horse');
    const next = await rotateAuthority(state, before, 'horse');
    ok(readFileSync(join(state, 'ca', 'ca.pem'), 'utf8').includes('ENCRYPTED'));
    ok((await loadAuthority(state, 'horse')).certificate.raw.equals(next.certificate.raw));
  });

  it('cut off before the policy never was; cut off after it is finished', async () => {
    const before = await makeAuthority(state, 'office');
    const lost = createAuthority('office', Date.now());
    await stageAuthority(state, lost, undefined);
    ok((await loadAuthority(state)).certificate.raw.equals(before.certificate.raw));
    const next = await rotateAuthority(state, before, undefined);
    const newest = createAuthority('office', Date.now());
    await stageAuthority(state, newest, undefined);
    ok((await loadAuthority(state)).certificate.raw.equals(next.certificate.raw));
    const policy = { group: 'office', version: 9, issued: Date.now(), revoked: [] };
    await savePolicy(state, signPolicy(policy, newest).bytes);
    ok((await loadAuthority(state)).certificate.raw.equals(newest.certificate.raw));
  });

  it('names the machines whose latest certificate is of the CA before', async () => {
    const before = await makeAuthority(state, 'office');
    const next = createAuthority('office', Date.now());
    const ledger = new Ledger(state);
    const note = async (name: string, issuer: typeof before, days = 30) => {
      const { certificate } = issueIdentity(issuer, name, days, Date.now());
      await ledger.record(certificate, issuer.certificate, Date.now());
    };
    for (const name of ['pc-1', 'pc-2']) await note(name, before);
    await note('pc-1', next);
    const issued = await ledger.issued();
    deepEqual(namesOfBefore(issued, next, Date.now()), ['pc-2']);
    deepEqual(namesOfBefore(issued, next, Date.now() + 31 * 86_400_000), []);
  });
});

describe('renewal after a change of the CA', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await new Stage().open();
  });

  afterEach(() => stage.close());

  /** The CA on the stage changes; its machine has its own new certificate already. */
  async function rotate(retired = false): Promise<Buffer> {
    const next = await rotateAuthority(stage.directory, stage.authority, undefined);
    if (retired) await retireAuthority(stage.directory, next);
    const policy = (await loadPolicy(stage.directory)) ?? Buffer.alloc(0);
    stage.policy = policy;
    stage.hub.believe(anchorsWith(stage.hub.anchors, policy));
    stage.authority = next;
    stage.renewHub(30);
    return policy;
  }

  async function look(identity: CurrentIdentity): Promise<string> {
    const events: string[] = [];
    const renewal = new Renewal({
      identity,
      authority: () => undefined,
      ledger: new Ledger(stage.directory),
      clock: stage.clock,
      random: new SeededRandom(1),
      logger: {
        log: (_level, event, fields) =>
          events.push([event, (fields?.error as { code?: string } | undefined)?.code].join(' ')),
      },
      joinedAt: async () => ({ host: ADDRESS, port: stage.port }),
      members: () => [],
      use: async (renewed) => identity.replace(renewed),
    });
    await renewal.look();
    await renewal.stop();
    return events.join().trim();
  }

  it('comes at once, whatever the age, and is of the new CA', async () => {
    const member = new CurrentIdentity(stage.member('pc-1'));
    equal(await look(member), '');
    member.believe(anchorsWith(member.anchors, await rotate()));
    equal(await look(member), 'certificate-renewed');
    ok(member.ca.raw.equals(stage.authority.certificate.raw));
    equal(await look(member), '');
  });

  it('is refused when the CA before is retired', async () => {
    const member = new CurrentIdentity(stage.member('pc-1'));
    member.believe(anchorsWith(member.anchors, await rotate(true)));
    equal(await look(member), 'certificate-not-renewed E_RENEWAL_REFUSED');
  });

  it('lets one in who was issued by the CA before, until it is retired', async () => {
    const member = stage.member('pc-1');
    await rotate();
    const connection = stage.connect(member);
    equal((await connection.send('GET', '/g/policy')).status, 200);
    await retireAuthority(stage.directory, stage.authority);
    stage.hub.believe(anchorsWith(stage.hub.anchors, await loadPolicy(stage.directory)));
    stage.objects.dropRevoked();
    await rejects(connection.send('GET', '/g/policy'), { code: 'E_ENROL_UNREACHABLE' });
    connection.close();
    const again = stage.connect(member);
    equal((await again.send('GET', '/g/policy')).status, 404);
    again.close();
  });
});
