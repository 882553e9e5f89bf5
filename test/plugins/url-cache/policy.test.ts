/** Policy: what the shipped rules, digests and credentials say about real URLs. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ResourcePolicy } from '@peerage/sdk';
import { PolicyBook, type Rule, shippedRules } from '@peerage/url-cache/policy.js';
import { Rig } from './rig.js';

const HEX = createHash('sha256').update('x').digest('hex');
const digestOf = (algorithm: string, coding: 'base64' | 'hex') =>
  createHash(algorithm).update('content').digest(coding);

describe('url-cache: policy', () => {
  let shipped: readonly Rule[];
  before(async () => {
    shipped = await shippedRules();
  });

  const policy = (url: string, headers = {}, rules: readonly Rule[] = []): ResourcePolicy =>
    new PolicyBook([...shipped, ...rules]).policyFor(new URL(url), headers);

  const immutable = [
    'http://m.test/debian/pool/main/n/nano/nano_7.2-1%2bdeb12u1_amd64.deb',
    'http://m.test/debian/pool/main/n/nano/nano_7.2.orig.tar.xz',
    'http://r.test/ms/-/ms-2.1.3.tgz',
    'http://r.test/@types/node/-/node-20.0.0.tgz',
    'http://d.test/daily-27001.cdiff',
    'http://d.test/daily.cvd?version=27001',
    'http://t.test/metadata/12.snapshot.json',
    'http://f.test/packages/ab/cd/ef/six-1.17.0-py2.py3-none-any.whl',
    'http://f.test/packages/ab/cd/ef/six-1.17.0.tar.gz',
  ];
  for (const url of immutable) {
    it(`${url} never changes`, () => assert.deepEqual(policy(url), { immutable: true }));
  }

  const changing = [
    'http://m.test/debian/dists/bookworm/InRelease',
    'http://r.test/ms',
    'http://d.test/daily.cvd',
    'http://t.test/metadata/timestamp.json',
    'http://f.test/simple/six/',
    'http://o.test/v2/library/alpine/manifests/latest',
  ];
  for (const url of changing) {
    it(`nothing is known of ${url}`, () => assert.deepEqual(policy(url), {}));
  }

  it('takes the digest of by-hash URLs, of each kind', () => {
    const kinds = { SHA512: 'sha512', SHA256: 'sha256', SHA1: 'sha1', MD5Sum: 'md5' } as const;
    for (const [folder, algorithm] of Object.entries(kinds)) {
      const hex = digestOf(algorithm, 'hex');
      const url = `http://m.test/debian/dists/x/main/binary-amd64/by-hash/${folder}/${hex}`;
      assert.deepEqual(policy(url), { immutable: true, digest: { algorithm, hex } });
    }
  });

  it('takes the digest of a container blob', () => {
    assert.deepEqual(policy(`http://o.test/v2/library/alpine/blobs/sha256:${HEX}`), {
      immutable: true,
      digest: { algorithm: 'sha256', hex: HEX },
    });
  });

  it('takes no digest that is not one', () => {
    for (const name of ['abc', `${HEX}0`, HEX.replace(/^./, 'g'), `${HEX}.gz`, '']) {
      const found = policy(`http://m.test/dists/by-hash/SHA256/${name}`);
      assert.equal(found.digest, undefined, name);
    }
  });

  it("takes the strongest hash of npm's integrity header", () => {
    const list = `sha1-${digestOf('sha1', 'base64')} sha512-${digestOf('sha512', 'base64')}?x=y`;
    assert.deepEqual(policy('http://r.test/a/-/a-1.tgz', { 'pacote-integrity': list }).digest, {
      algorithm: 'sha512',
      hex: digestOf('sha512', 'hex'),
    });
  });

  it('takes no hash where two would do, or none is whole', () => {
    const other = createHash('sha512').update('other').digest('base64');
    for (const list of [
      `sha512-${digestOf('sha512', 'base64')} sha512-${other}`,
      'sha512-AAAA',
      'sha512',
      'sha3-AAAA',
      '',
      '- - -',
    ]) {
      const found = policy('http://r.test/a', { 'pacote-integrity': list });
      assert.equal(found.digest, undefined, list);
    }
  });

  it('knows that apt and freshclam verify, but not that others do', () => {
    const url = 'http://m.test/debian/dists/bookworm/InRelease';
    const apt = { 'user-agent': 'Debian APT-HTTP/1.3 (2.6.1)' };
    const clam = { 'user-agent': 'ClamAV/1.4.6 (OS: Linux, ARCH: x86_64)' };
    assert.deepEqual(policy(url, apt), { clientVerifies: true });
    assert.deepEqual(policy('http://d.test/daily.cvd', clam), { clientVerifies: true });
    assert.deepEqual(policy('http://d.test/other.hdb', clam), {});
    assert.deepEqual(policy(url, { 'user-agent': 'curl/8' }), {});
  });

  it('never shares what comes with credentials', () => {
    for (const name of ['authorization', 'cookie']) {
      assert.deepEqual(policy('http://o.test/', { [name]: 'secret' }), { unshared: true });
    }
  });

  it('lets the rules of the settings win', () => {
    const rules = [{ match: 'http://bad.test/*', immutable: false }];
    assert.deepEqual(policy('http://bad.test/pool/a.deb', {}, rules), {});
    assert.deepEqual(policy('http://good.test/pool/a.deb', {}, rules), { immutable: true });
  });

  it('refuses too many rules and too long patterns', () => {
    const many = Array.from({ length: 1_001 }, () => ({ match: '*' }));
    assert.throws(() => new PolicyBook(many), { code: 'E_RULE_INVALID' });
    assert.throws(() => new PolicyBook([{ match: 'x'.repeat(513) }]), { code: 'E_RULE_INVALID' });
  });

  it('reaches the core, and the header of npm does not', async () => {
    const rig = await Rig.start();
    try {
      const url = 'http://r.test/a/-/a-1.0.0.tgz';
      rig.peering.put(url, { body: 'content' });
      const integrity = `sha512-${digestOf('sha512', 'base64')}`;
      await rig.get(url, { 'pacote-integrity': integrity, 'accept-encoding': 'gzip' });
      const { policy: sent, headers } = rig.peering.last;
      assert.equal(sent?.digest?.hex, digestOf('sha512', 'hex'));
      assert.equal(sent?.immutable, true);
      assert.equal(headers?.['pacote-integrity'], undefined);
      assert.equal(headers?.['accept-encoding'], 'identity', 'the digest is of the plain bytes');
    } finally {
      await rig.stop();
    }
  });
});
