/**
 * Whole nodes on loopback: a certificate is renewed while the node runs, and a revocation reaches
 * running nodes by their own packets (§1.7, §1.8).
 */
import { equal, notEqual, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask } from '@peerage/core/cli/client.js';
import { startNode } from '@peerage/core/composition.js';
import { Ledger } from '@peerage/core/membership/ledger.js';
import { revokeName } from '@peerage/core/membership/revoke.js';
import { parseConfiguration } from '@peerage/core/ports/configuration.js';
import {
  identityPath,
  makeAuthority,
  prepareState,
  saveIdentity,
  saveJoinedAt,
} from '@peerage/core/state.js';
import { type Authority, issueIdentity } from '@peerage/core/trust/authority.js';
import { freePort } from '../lan/ports.js';
import { until } from '../lan/until.js';
import { DAY_MS } from './stage.js';

const DEADLINE_MS = 15_000;
/** Loopback addresses of this suite's own, so that it disturbs no other. */
const NETWORK = '127.61.7';

interface Status {
  readonly kid: string;
  readonly policy: { readonly version: number; readonly revoked: readonly string[] };
}

interface Seen {
  readonly name: string;
  readonly kid: string;
}

describe('running nodes', () => {
  const root = mkdtempSync(join(tmpdir(), 'peerage-nodes-'));
  const stops: Array<() => Promise<void>> = [];
  let authority: Authority;
  let packetPort = 0;
  let objectPort = 0;

  const state = (name: string) => join(root, name);
  const status = (name: string) => ask(state(name), 'GET', '/status') as Promise<Status>;
  const peers = (name: string) => ask(state(name), 'GET', '/peers') as Promise<Seen[]>;

  async function start(name: string, host: number, ageDays: number): Promise<string> {
    const identity = issueIdentity(authority, name, 30, Date.now() - ageDays * DAY_MS);
    await prepareState(state(name));
    await saveIdentity(identityPath(state(name)), identity);
    await saveJoinedAt(state(name), { host: `${NETWORK}.2`, port: objectPort });
    const core = { address: `${NETWORK}.${host}`, packetPort, objectPort };
    const text = JSON.stringify({ core, plugins: {} });
    const configuration = parseConfiguration(text, 'plugins.json of the test');
    const logger = { log: () => undefined };
    const node = await startNode({ stateDirectory: state(name), configuration, logger });
    stops.push(() => node.stop());
    return identity.kid;
  }

  before(async () => {
    packetPort = await freePort(`${NETWORK}.2`);
    objectPort = await freePort(`${NETWORK}.2`);
    await prepareState(state('hub'));
    authority = await makeAuthority(state('hub'), 'office');
    await start('hub', 2, 0);
  });

  after(async () => {
    await Promise.all(stops.map((stop) => stop()));
    rmSync(root, { recursive: true, force: true });
  });

  it('renew their certificate, show it, and are known by it, without a restart', async () => {
    const old = await start('pc-1', 3, 25);
    const [seen] = await until('the hub knows pc-1 by its new key', DEADLINE_MS, async () => {
      const { kid } = await status('pc-1');
      const known = (await peers('hub')).filter((peer) => peer.kid === kid);
      const renewed = (await new Ledger(state('hub')).issued()).some((one) => one.kid === kid);
      return known.length > 0 && renewed ? known : undefined;
    });
    equal(seen?.name, 'pc-1');
    notEqual(seen?.kid, old);
    equal((await peers('hub')).filter(({ name }) => name === 'pc-1').length, 1);
  });

  it('a member that ended three days ago renews at its start and is back', async () => {
    await start('pc-2', 4, 33);
    await until('the hub knows pc-2', DEADLINE_MS, async () => {
      return (await peers('hub')).some(({ name }) => name === 'pc-2') || undefined;
    });
  });

  it('learn of a revocation within seconds, and the revoked is no member any more', async () => {
    await until('pc-1 knows pc-2', DEADLINE_MS, async () => {
      return (await peers('pc-1')).some(({ name }) => name === 'pc-2') || undefined;
    });
    const startedAt = performance.now();
    await revokeName(state('hub'), authority, 'pc-2');
    await ask(state('hub'), 'POST', '/policy/reload');
    equal((await peers('hub')).filter(({ name }) => name === 'pc-2').length, 0);
    const learnt = await until('pc-1 has the policy', DEADLINE_MS, async () => {
      const { policy } = await status('pc-1');
      return policy.version === 1 ? policy : undefined;
    });
    ok(performance.now() - startedAt < 10_000);
    equal(learnt.revoked.join(), 'pc-2');
    equal((await peers('pc-1')).filter(({ name }) => name === 'pc-2').length, 0);
  });
});
