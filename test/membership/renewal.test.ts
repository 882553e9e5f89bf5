/** Renewal (§1.7): a new key under the old name, before the end and a little after it. */
import { equal, notEqual, ok } from 'node:assert/strict';
import { SeededRandom } from '@peerage/core/base/random.js';
import { CurrentIdentity } from '@peerage/core/membership/current-identity.js';
import { Ledger } from '@peerage/core/membership/ledger.js';
import { lifePassed, Renewal } from '@peerage/core/membership/renewal.js';
import type { LogFields } from '@peerage/core/ports/log.js';
import { type Authority, createAuthority, issueIdentity } from '@peerage/core/trust/authority.js';
import { keyId } from '@peerage/core/trust/certificate.js';
import { ADDRESS, DAY_MS, Stage } from './stage.js';

interface Renewed {
  readonly identity: CurrentIdentity;
  readonly events: readonly string[];
}

describe('renewal', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await new Stage().open();
  });

  afterEach(() => stage.close());

  /** Lets a member of this age look whether it is time; what came of it. */
  async function look(
    ageDays: number,
    more: { foreign?: boolean; authority?: Authority; viaMembers?: boolean } = {},
  ): Promise<Renewed> {
    const issuer = more.foreign === true ? createAuthority('office', Date.now()) : stage.authority;
    const identity = new CurrentIdentity(issueIdentity(issuer, 'pc-17', 30, Date.now()));
    const events: string[] = [];
    const log = (level: string, event: string, { error }: LogFields = {}) =>
      events.push(`${level} ${event} ${String((error as { code?: string })?.code ?? '')}`.trim());
    const here = { host: ADDRESS, port: stage.port };
    stage.clock.shiftMs = ageDays * DAY_MS;
    const renewal = new Renewal({
      identity,
      authority: () => more.authority,
      random: new SeededRandom(1),
      ledger: new Ledger(stage.directory),
      clock: stage.clock,
      logger: { log },
      joinedAt: async () => (more.viaMembers === true ? undefined : here),
      members: () => (more.viaMembers === true ? [{ host: ADDRESS, port: 1 }, here] : []),
      use: async (renewed) => identity.replace(renewed),
    });
    await renewal.look();
    await renewal.stop();
    return { identity, events };
  }

  it('waits until two thirds of the life have passed', async () => {
    const { identity, events } = await look(19.9);
    equal(events.length, 0);
    ok(lifePassed(identity, Date.now() + 19.9 * DAY_MS) < 2 / 3);
  });

  it('then gets a new key under the old name, for 30 days, and takes it into use', async () => {
    const before = await look(0);
    const { identity, events } = await look(20.1);
    equal(events.join(), 'info certificate-renewed');
    equal(identity.name, 'pc-17');
    notEqual(identity.kid, before.identity.kid);
    equal(identity.kid, keyId(identity.key));
    ok(Date.parse(identity.certificate.validTo) > Date.now() + 50 * DAY_MS);
  });

  it('finds the CA among the members if it was not told where it is', async () => {
    const { events } = await look(21, { viaMembers: true });
    equal(events.join(), 'info certificate-renewed');
  });

  it('needs nobody on the machine that has the CA', async () => {
    const { events } = await look(21, { authority: stage.authority });
    equal(events.join(), 'info certificate-renewed');
    equal((await stage.ledger.issued())[0]?.name, 'pc-17');
  });

  it('is given within 7 days after the end, and not later', async () => {
    // The hub's own certificate is judged, too: it was renewed in time.
    stage.renewHub(90);
    equal((await look(36.9)).events.join(), 'info certificate-renewed');
    equal((await look(37.1)).events.join(), 'error certificate-not-renewed E_RENEWAL_REFUSED');
  });

  it('is refused to the revoked and to strangers, who keep what they have', async () => {
    stage.keyring.revoke(new Set(['pc-17']));
    equal((await look(21)).events.join(), 'warn certificate-not-renewed E_REVOKED');
    stage.keyring.revoke(new Set());
    const { identity, events } = await look(21, { foreign: true });
    equal(events.join(), 'warn certificate-not-renewed E_ENROL_REFUSED');
    equal(identity.name, 'pc-17');
  });
});
