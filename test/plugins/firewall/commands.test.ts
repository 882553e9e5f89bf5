/** `peerage firewall …`: what would change and why, before it changes; back, and never again. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Commands } from '@peerage/firewall/commands.js';
import type { FirewallStatus } from '@peerage/firewall/status.js';
import { errorCode } from '@peerage/sdk';
import { useScratch } from '../../fakes/scratch.js';
import { FakeLan } from '../../update-agent/fake-lan.js';
import { FirewallNode, URL } from './node.js';

describe('firewall: the commands', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  let node: FirewallNode;
  let commands: Commands;
  let directory: string;
  beforeEach(async () => {
    lan = new FakeLan();
    directory = scratch();
    mkdirSync(directory);
    node = await new FirewallNode(lan, 'n1', { directory }).start();
    commands = commandsOf(node);
  });

  const commandsOf = (one: FirewallNode) =>
    new Commands({
      enforcer: one.enforcer,
      sources: [one.source],
      wishes: one.wishes,
      programs: one.programs,
      provider: async () => 'n1',
      dropped: async () => 7,
      now: () => one.nowMs,
    });
  const publish = (body: string) => {
    lan.origin.set(URL, { body });
    node.nowMs += 60_000;
  };
  const file = (text: string) => {
    const path = join(directory, 'candidate');
    writeFileSync(path, text);
    return path;
  };

  it('status names the set, each source, why one failed, and what was kept out', async () => {
    publish('203.0.113.1\n10.77.0.0/24\n');
    await node.check();
    publish('localhost\n');
    await node.check();
    const { text, json } = await commands.status();
    assert.match(text, /^in force: 1 entries \([0-9a-f]{16}\), 7 packets dropped\nprovider: n1\n/);
    assert.match(text, /\nown: \d{14}-[0-9a-f]{12}, 2 entries, unauthenticated, failed\n/);
    assert.match(text, /\n {2}E_LIST_INVALID: own, line 1: "localhost" is a name/);
    assert.match(
      text,
      /\nkept out: 10\.77\.0\.0\/24 \(own, line 2\): own subnet 10\.77\.0\.0\/24$/,
    );
    assert.equal((json as FirewallStatus).sources[0]?.authenticated, false);
  });

  it('status tells why a set could not be put in force, until it could', async () => {
    publish('203.0.113.1\n');
    await node.check();
    node.target.blocks = undefined;
    node.target.fails = new Error('nft is gone');
    await assert.rejects(node.enforcer.refresh(), /nft is gone/);
    assert.match((await commands.status()).text, /\n {2}E_INTERNAL: nft is gone\n/);
    await node.enforcer.refresh();
    assert.equal(((await commands.status()).json as FirewallStatus).trouble, undefined);
    assert.deepEqual(node.target.blocked, ['203.0.113.1']);
  });

  it('test judges a file as if it were the list, and changes nothing', async () => {
    publish('203.0.113.1\n203.0.113.2\n');
    await node.check();
    const { text, json } = await commands.test([file('203.0.113.2\n203.0.113.3\n10.0.0.1\n')]);
    assert.match(
      text,
      /^own: \+1 -1, then 2 in all\n {2}\+ 203\.0\.113\.3\n {2}- 203\.0\.113\.1\n/,
    );
    assert.match(text, /kept out: 10\.0\.0\.1 \(own, line 3\): private range/);
    assert.deepEqual((json as { added: string[] }).added, ['203.0.113.3']);
    assert.deepEqual(node.target.blocked, ['203.0.113.1', '203.0.113.2']);
    await assert.rejects(
      commands.test([file('0.0.0.0/0\n')]),
      /own: line 1: 0\.0\.0\.0\/0 is wider/,
    );
  });

  it('test reads what the core prints for it, but never a part of a file', async () => {
    const run = (stdout: string) => {
      node.programs.instead.set('read-list', () => ({ exitCode: 0, stdout, stderr: '' }));
      return commands.test(['/nowhere/list']);
    };
    assert.match((await run('203.0.113.9\n')).text, /\+ 203\.0\.113\.9/);
    await assert.rejects(run('203.0.113.9\n'.repeat(100_000)), /it has 1000000 bytes or more/);
    await assert.rejects(commands.test(['list']), (error) => errorCode(error) === 'E_USAGE');
    await assert.rejects(commands.test(['/a', 'other']), /used wrongly/);
  });

  it('apply --dry-run says what would change; apply changes it', async () => {
    publish('203.0.113.1\n');
    const dry = await commands.apply(['--dry-run']);
    assert.match(dry.text, /^own: \+1 -0, then 1 in all\n {2}\+ 203\.0\.113\.1$/);
    assert.deepEqual(node.target.blocked, []);
    node.nowMs += 60_000;
    const { text, exitCode } = await commands.apply([]);
    assert.deepEqual([text, exitCode], ['own: updated', 0]);
    assert.deepEqual(node.target.blocked, ['203.0.113.1']);
    publish('localhost\n');
    const failing = await commands.apply([]);
    assert.match(failing.text, /^own: E_LIST_INVALID/);
    assert.equal(failing.exitCode, 1);
  });

  it('rollback goes to the version before and stays there, until apply', async () => {
    publish('203.0.113.1\n');
    await node.check();
    assert.match((await commands.rollback([])).text, /own: there is no version before/);
    publish('203.0.113.2\n');
    await node.check();
    assert.match(
      (await commands.rollback(['own'])).text,
      /^own: \d{14}-\w+, until "peerage firewall apply"/,
    );
    assert.deepEqual(node.target.blocked, ['203.0.113.1']);
    publish('203.0.113.3\n');
    await node.check();
    assert.deepEqual(node.target.blocked, ['203.0.113.1']);
    const { storage } = node;
    const again = await new FirewallNode(lan, 'n1', { directory, storage }).start();
    assert.deepEqual(again.target.blocked, ['203.0.113.1']);
    await commands.apply([]);
    assert.deepEqual(node.target.blocked, ['203.0.113.3']);
  });

  it('allow takes addresses out at once and for good, and back in', async () => {
    publish('203.0.113.0/31\n');
    await node.check();
    assert.equal((await commands.allow(['203.0.113.1'])).text, '203.0.113.1');
    assert.deepEqual(node.target.blocked, ['203.0.113.0']);
    assert.equal((await commands.allow([])).text, '203.0.113.1');
    const { storage } = node;
    const again = await new FirewallNode(lan, 'n1', { directory, storage }).start();
    assert.deepEqual(again.target.blocked, ['203.0.113.0']);
    assert.equal(
      (await commands.allow(['203.0.113.1', '--remove'])).text,
      'nothing beyond the settings',
    );
    assert.deepEqual(node.target.blocked, ['203.0.113.0/31']);
    await assert.rejects(commands.allow(['localhost']), /a name, not an address/);
  });
});
