/** The enforcer on real nft: what is in the kernel after each change, refused change and restart. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { errorCode } from '@peerage/sdk';
import { useScratch } from '../../fakes/scratch.js';
import { skipIf } from '../../lan/skip.js';
import { missingForNft, NftGround, type Rig, sourceList } from './rig.js';

const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => {
    const number = from + at;
    return `198.${18 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}\n`;
  }).join('');

describe('firewall: nftables', () => {
  const scratch = useScratch();
  let ground: NftGround;
  let rig: Rig;
  before(skipIf(missingForNft));
  before(() => {
    ground = new NftGround();
  });
  beforeEach(async () => {
    rig = ground.rig(scratch());
    await rig.nft('flush', 'ruleset');
    await rig.enforcer.start([]);
  });
  after(() => ground?.dispose());

  const put = (text: string, source = 'own') => rig.enforcer.put(source, sourceList(source, text));
  const loads = () => rig.programs.ran.filter((name) => name === 'nft-load').length;
  async function refused(work: Promise<unknown>, code: string, why: RegExp): Promise<void> {
    await assert.rejects(work, (error: Error) => {
      assert.equal(errorCode(error), code, error.message);
      assert.match(error.message, why);
      return true;
    });
  }

  it('blocks the union of all lists, in sets by prefix length', async () => {
    await put('192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n2001:db8:1::1\n');
    await put('203.0.113.0/24\n192.0.2.0/28\n', 'drop');
    assert.deepEqual(await rig.blocked(), [
      ...['192.0.2.0/28', '198.51.100.0/24', '2001:db8::/32', '203.0.113.0/24'],
    ]);
    assert.equal(await rig.nftables.holds(), rig.enforcer.inForce?.version);
    assert.equal(await rig.nftables.dropped(), 0);
  });

  it('lets what is established pass first, and hooks where it is told', async () => {
    await put('192.0.2.1\n');
    const { stdout } = await rig.nft('list', 'chains');
    assert.match(stdout, /hook input priority -?\d*[^;]*; policy accept/);
    const input = (await rig.nft('list', 'chain', 'inet', 'peerage_firewall', 'input')).stdout;
    const lines = input.split('\n').map((line) => line.trim());
    const rules = lines.slice(lines.findIndex((line) => line.startsWith('type')) + 1);
    assert.deepEqual(rules.slice(0, 3), [
      ...['iif "lo" accept', 'ct state established,related accept', 'jump from_blocked'],
    ]);
  });

  it('touches no table but its own', async () => {
    await rig.nft('add', 'table', 'inet', 'other');
    await rig.nft('add', 'set', 'inet', 'other', 'kept', '{ type ipv4_addr; }');
    await rig.nft('add', 'element', 'inet', 'other', 'kept', '{ 192.0.2.9 }');
    await put('192.0.2.1\n');
    await put('192.0.2.2\n');
    await rig.nft('delete', 'table', 'inet', 'peerage_firewall');
    await rig.enforcer.refresh();
    const { stdout } = await rig.nft('list', 'table', 'inet', 'other');
    assert.match(stdout, /192\.0\.2\.9/);
  });

  it('changes a little by a difference, much by new sets, nothing by nothing', async () => {
    await put(many(1000));
    const before = loads();
    await put(many(1000, 10));
    assert.equal(loads() - before, 2);
    assert.equal((await rig.blocked()).length, 1000);
    await put(many(900, 500));
    assert.equal(loads() - before, 5);
    assert.deepEqual(
      await rig.blocked(),
      many(900, 500)
        .trim()
        .split('\n')
        .map((a) => `${a}/32`)
        .sort(),
    );
    await put(many(900, 500));
    assert.equal(loads() - before, 5);
    const { stdout } = await rig.nft('list', 'sets');
    assert.equal(stdout.match(/set /g)?.length, 1, 'the old sets are gone');
  });

  it('follows what the admin allows, also when no list has changed', async () => {
    await put('203.0.113.0/30\n');
    rig.allowed = ['203.0.113.1'];
    await rig.enforcer.refresh();
    assert.deepEqual(await rig.blocked(), ['203.0.113.0/32', '203.0.113.2/31']);
    assert.equal(rig.enforcer.inForce?.keptOut[0]?.guard, 'allowed by the admin 203.0.113.1');
  });

  it('is back in force after somebody flushed it', async () => {
    await put('192.0.2.1\n');
    await rig.nft('flush', 'ruleset');
    assert.equal(await rig.nftables.holds(), undefined);
    await rig.enforcer.refresh();
    assert.deepEqual(await rig.blocked(), ['192.0.2.1/32']);
  });

  it('takes a change back whose probe fails, by difference and by whole', async () => {
    await put(many(100));
    const { version } = rig.enforcer.inForce ?? {};
    const wanted = await rig.blocked();
    for (const text of [many(105), many(100, 5000), `${many(100)}198.51.100.0/24\n`]) {
      rig.answers = true;
      const failing = rig.enforcer.put('own', sourceList('own', text));
      rig.programs.instead.set('nft-load', async (values) => {
        rig.programs.instead.delete('nft-load');
        rig.answers = false;
        return rig.programs.run('nft-load', values);
      });
      await refused(
        failing,
        'E_PROBE_FAILED',
        /192\.0\.2\.1:1 answered before the change, not after/,
      );
      assert.deepEqual(await rig.blocked(), wanted);
      assert.equal(rig.enforcer.inForce?.version, version);
    }
    assert.deepEqual(rig.kept.at(-1), version);
  });

  it('names source and line of an element that nft refuses', async () => {
    await put('192.0.2.1\n');
    rig.programs.instead.set('nft-check', ({ rules = '' }) => {
      const line = readFileSync(rules, 'utf8').split('\n').indexOf('198.51.100.6,') + 1;
      const stderr = `${rules}:${line}:1-9: Error: Could not process rule: Invalid argument\n`;
      return { exitCode: 1, stdout: '', stderr };
    });
    const text = '# one\n198.51.100.7\n203.0.113.0/24\n198.51.100.6\n';
    await refused(
      put(text, 'feed'),
      'E_NFT_REFUSED',
      /^feed, line 4: nft refused 198\.51\.100\.6: Error: Could not/,
    );
    assert.deepEqual(await rig.blocked(), ['192.0.2.1/32']);
  });

  it('goes back when nft refuses the second half', async () => {
    await put(many(100));
    const wanted = await rig.blocked();
    let count = 0;
    const refuse = (at: number) => async (values: Readonly<Record<string, string>>) => {
      count += 1;
      if (count === at) return { exitCode: 1, stdout: '', stderr: 'x:1:1-1: Error: no\n' };
      const { instead } = rig.programs;
      const own = instead.get('nft-load');
      instead.delete('nft-load');
      const result = await rig.programs.run('nft-load', values);
      if (own !== undefined) instead.set('nft-load', own);
      return result;
    };
    for (const [text, at] of [
      [many(103), 2],
      [many(300, 9000), 2],
      [many(300, 9000), 3],
    ] as const) {
      count = 0;
      rig.programs.instead.set('nft-load', refuse(at));
      await refused(put(text), 'E_NFT_REFUSED', /Error: no/);
      rig.programs.instead.delete('nft-load');
      assert.deepEqual(await rig.blocked(), wanted);
    }
  });

  it('says that nft is missing, and holds nothing for done', async () => {
    const without = ground.rig(scratch());
    for (const name of ['nft-chains', 'nft-check', 'nft-load']) {
      without.programs.instead.set(name, () => {
        throw Object.assign(new Error('nft is not there'), { code: 'E_PROGRAM_MISSING' });
      });
    }
    await refused(without.enforcer.start([]), 'E_PROGRAM_MISSING', /not there/);
    assert.equal(without.enforcer.inForce, undefined);
    for (const name of ['nft-chains', 'nft-check', 'nft-load'])
      without.programs.instead.delete(name);
    await without.enforcer.put('own', sourceList('own', '192.0.2.1\n'));
    assert.deepEqual(await without.blocked(), ['192.0.2.1/32']);
  });

  it('adopts what the kernel has after a restart, and replaces what it does not know', async () => {
    const list = sourceList('own', many(50));
    await rig.enforcer.put('own', list);
    const again = ground.rig(scratch());
    await again.enforcer.start([list]);
    assert.equal(again.programs.ran.includes('nft-load'), false);
    const older = ground.rig(scratch());
    await older.enforcer.start([sourceList('own', many(20))]);
    assert.equal((await older.blocked()).length, 20);
  });
});
