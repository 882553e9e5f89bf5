/** Revocation on connections (§1.8): open ones are cut, both ways; new ones get nothing. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { PeerFetcher } from '@peerage/core/transfer/peer-fetch.js';
import type { Identity } from '@peerage/core/trust/authority.js';
import { signPolicy } from '@peerage/core/trust/group-policy.js';
import { MemberKeyring } from '@peerage/core/trust/keyring.js';
import { ADDRESS, credentials, Stage } from './stage.js';

describe('revocation on connections', () => {
  let stage: Stage;
  let thief: Identity;

  beforeEach(async () => {
    stage = await new Stage().open();
    thief = stage.member('pc-9');
    const policy = { group: 'office', version: 1, issued: 1, revoked: [] };
    stage.policy = signPolicy(policy, stage.authority).bytes;
  });

  afterEach(() => stage.close());

  async function connected(identity: Identity): Promise<TLSSocket> {
    const own = { host: ADDRESS, port: stage.port, rejectUnauthorized: false };
    const socket = connect({ ...own, ...credentials(identity) });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    // The server knows of the client's certificate when it has answered something.
    socket.write(`GET /c/${stage.hub.kid} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await once(socket, 'data');
    return socket;
  }

  it('cuts the open connections of the revoked and of nobody else', async () => {
    const [bad, good] = [await connected(thief), await connected(stage.member('pc-1'))];
    stage.keyring.revoke(new Set(['pc-9']));
    const closed = once(bad, 'close');
    stage.objects.dropRevoked();
    await closed;
    equal(good.destroyed, false);
    equal(stage.objects.counters.get('connections-cut-revoked'), 1);
    good.destroy();
  });

  it('is nothing that a new connection of the revoked gets around', async () => {
    const before = stage.connect(thief);
    equal((await before.send('GET', '/g/policy')).status, 200);
    stage.keyring.revoke(new Set(['pc-9']));
    equal((await before.send('GET', '/g/policy')).status, 404);
    before.close();
    const after = stage.connect(thief);
    equal((await after.send('GET', '/g/policy')).status, 404);
    after.close();
  });

  it('keeps us from fetching of the revoked, on kept connections and new ones', async () => {
    const keyring = new MemberKeyring({ anchors: [stage.authority.certificate] }, Date.now);
    const fetcher = new PeerFetcher(stage.member('pc-1'), keyring, () => undefined);
    const hub = { kid: stage.hub.kid, name: 'hub', address: ADDRESS, port: stage.port };
    try {
      ok(stage.policy?.equals(await fetcher.getWhole(hub, '/g/policy', 4096)));
      keyring.revoke(new Set(['hub']));
      fetcher.dropRevoked();
      await rejects(fetcher.getWhole(hub, '/g/policy', 4096), { code: 'E_PEER_FAILED' });
    } finally {
      fetcher.close();
    }
  });

  it('makes the keyring forget the keys and refuse them when they come again', () => {
    const text = thief.certificate.raw.toString('base64url');
    ok(stage.keyring.learn(thief.kid, text) !== undefined);
    stage.keyring.revoke(new Set(['pc-9']));
    equal(stage.keyring.find(thief.kid), undefined);
    deepEqual([stage.keyring.isRevoked('pc-9'), stage.keyring.isRevoked('pc-1')], [true, false]);
    const other = stage.member('pc-9');
    const known = stage.keyring.learn(other.kid, other.certificate.raw.toString('base64url'));
    ok(known === undefined || stage.keyring.isRevoked(known.name));
  });

  it('a renewed certificate is shown on connections to come', async () => {
    const before = stage.connect();
    const kidBefore = stage.hub.kid;
    equal((await before.send('GET', `/c/${kidBefore}`)).status, 200);
    before.close();
    stage.renewHub(30);
    const after = stage.connect();
    const answer = await after.send('GET', `/c/${stage.hub.kid}`);
    equal(answer.status, 200);
    ok(answer.socket.getPeerCertificate().raw.equals(stage.hub.certificate.raw));
    equal((await after.send('GET', `/c/${kidBefore}`)).status, 404);
    after.close();
  });
});
