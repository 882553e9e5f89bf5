/** Lists signed by minisign: taken with no further word, refused when anything about it is wrong. */
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { useScratch } from '../../fakes/scratch.js';
import { FakeLan } from '../../update-agent/fake-lan.js';
import { FirewallNode, source, URL } from './node.js';

const KEY_ID = Buffer.from('0102030405060708', 'hex');

/** A key and signatures in the format of minisign. */
class Publisher {
  readonly publicKey: string;
  private readonly key: KeyObject;

  constructor(id = KEY_ID) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const { x = '' } = publicKey.export({ format: 'jwk' });
    const bytes = Buffer.concat([Buffer.from('Ed'), id, Buffer.from(x, 'base64url')]);
    this.publicKey = bytes.toString('base64');
    this.key = privateKey;
  }

  sign(
    list: string,
    madeAtSeconds: number,
    more: { id?: Buffer; algorithm?: string } = {},
  ): string {
    const { id = KEY_ID, algorithm = 'ED' } = more;
    const digest = createHash('blake2b512').update(list).digest();
    const signature = sign(null, digest, this.key);
    const comment = `timestamp:${madeAtSeconds}\tfile:own.netset\thashed`;
    const second = sign(null, Buffer.concat([signature, Buffer.from(comment)]), this.key);
    const first = Buffer.concat([Buffer.from(algorithm), id, signature]);
    const lines = [
      'untrusted comment: signature from minisign secret key',
      first.toString('base64'),
      `trusted comment: ${comment}`,
      second.toString('base64'),
    ];
    return `${lines.join('\n')}\n`;
  }
}

describe('firewall: signed lists', () => {
  const scratch = useScratch();
  const publisher = new Publisher();
  const { unauthenticated: _, ...plain } = source();
  const settings = { ...plain, minisignKey: publisher.publicKey };
  let lan: FakeLan;
  beforeEach(() => {
    lan = new FakeLan();
  });

  function publish(list: string, signature: string): void {
    lan.origin.set(URL, { body: list });
    lan.origin.set(`${URL}.minisig`, { body: signature });
  }
  const node = (name: string, role: 'poll' | 'listen' = 'poll') =>
    new FirewallNode(lan, name, { directory: scratch(), role, settings }).start();

  it('are in force everywhere, and keep their own line numbers', async () => {
    publish('203.0.113.1\n10.77.0.5\n', publisher.sign('203.0.113.1\n10.77.0.5\n', 1000));
    const [provider, other] = [await node('n1'), await node('n2', 'listen')];
    assert.equal(await provider.check(), 'updated');
    await other.check();
    for (const one of [provider, other]) {
      assert.deepEqual(one.target.blocked, ['203.0.113.1']);
      assert.equal(one.enforcer.inForce?.keptOut[0]?.line, 2);
    }
    assert.deepEqual(lan.asked, [URL, `${URL}.minisig`]);
  });

  it('never go back to an older one, though it is signed', async () => {
    const one = await node('n1');
    publish('203.0.113.2\n', publisher.sign('203.0.113.2\n', 2000));
    await one.check();
    one.nowMs += 60_000;
    publish('203.0.113.1\n', publisher.sign('203.0.113.1\n', 1999));
    assert.match(await one.check(), /^E_LIST_POLICY: own: it is older than the list in force/);
    assert.deepEqual(one.target.blocked, ['203.0.113.2']);
  });

  const list = '203.0.113.9\n';
  const good = publisher.sign(list, 1000);
  const flipped = good.split('\n');
  const wrong: ReadonlyArray<readonly [string, string, string, RegExp]> = [
    ['a changed list', '203.0.113.8\n', good, /its signature does not hold/],
    ['a changed comment', list, good.replace('timestamp:1000', 'timestamp:9999'), /does not hold/],
    ['a signature of another', list, new Publisher().sign(list, 1000), /does not hold/],
    ['another key', list, publisher.sign(list, 1000, { id: Buffer.alloc(8) }), /with another key/],
    ['an old algorithm', list, publisher.sign(list, 1000, { algorithm: 'Ed' }), /of an old kind/],
    ['half a signature', list, flipped.slice(0, 2).join('\n'), /no signature of minisign/],
    ['a web page', list, '<html>\n', /no signature of minisign/],
    ['nothing', list, '', /no signature of minisign/],
  ];
  for (const [what, body, signature, why] of wrong) {
    it(`are refused with ${what} beside them`, async () => {
      publish(body, signature);
      const one = await node('n1');
      const said = await one.check();
      assert.match(said, /^E_LIST_SIGNATURE: own: /);
      assert.match(said, why);
      assert.deepEqual(one.target.blocked, []);
    });
  }

  it('need a key that is one', async () => {
    publish(list, good);
    const directory = scratch();
    const bad = { ...settings, minisignKey: 'x'.repeat(56) };
    const one = await new FirewallNode(lan, 'n1', { directory, settings: bad }).start();
    assert.match(await one.check(), /"minisignKey" in its settings is no public key/);
  });
});
