/** The address guard: no form of writing a local address gets past it (server-side request forgery). */
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { AddressGuard } from '@peerage/core/transfer/guard.js';

const DENIED = { code: 'E_ADDRESS_DENIED' };
const strict = new AddressGuard([]);

/** What leads to this machine, its link or a cloud's metadata, however it is written in a URL. */
const LOCAL_URLS = [
  'http://127.0.0.1/',
  'http://127.0.0.1:6515/',
  'http://127.1/',
  'http://127.0.1/',
  'http://127.255.255.254/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0x7f.0.0.1/',
  'http://0x7f.1/',
  'http://017700000001/',
  'http://0177.0.0.1/',
  'http://0177.0.0.0x1/',
  'http://127.0.0.01/',
  'http://127%2e0%2e0%2e1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://１２７.0.0.1/',
  'http://127.0.0.1./',
  'http://0/',
  'http://0.0.0.0/',
  'http://0.1.2.3/',
  'http://localhost/',
  'http://LOCALHOST/',
  'http://[::1]/',
  'http://[::]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[::127.0.0.1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::7f00:1]/',
  'http://[2002:7f00:1::]/',
  'http://[2002:a9fe:a9fe::1]/',
  'http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/',
  'http://[fe80::1]/',
  'http://[fe80::ffff:ffff:ffff:ffff]/',
  'http://[febf::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fd20:ce::254]/',
  'http://169.254.169.254/latest/meta-data/',
  'http://169.254.170.2/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0251.0376.0251.0376/',
  'http://169.254.0.1/',
  'http://100.100.100.200/',
  'http://168.63.129.16/',
  'http://192.0.0.192/',
  'http://192.88.99.1/',
  'http://224.0.0.251/',
  'http://239.255.255.250/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://0xffffffff/',
];

describe('the address guard: URLs', () => {
  for (const url of LOCAL_URLS) {
    it(`refuses ${url}`, async () => {
      await assert.rejects(strict.resolve(new URL(url).hostname), DENIED);
    });
  }

  it('knows sixty ways to write a local address', () => {
    assert.ok(new Set(LOCAL_URLS).size >= 60);
  });

  it('reaches nothing by a name with a dot at its end', async () => {
    await assert.rejects(strict.resolve('localhost.'), /leads to 127|cannot be resolved/);
  });

  it('lets public addresses through, and private ones of other networks', async () => {
    for (const address of ['8.8.8.8', '1.1.1.1', '2606:4700::1111']) {
      assert.deepEqual(await strict.resolve(address), [address]);
      assert.equal(strict.permits(address), true, address);
    }
    assert.deepEqual(await strict.resolve('[2606:4700::1111]'), ['2606:4700::1111']);
    const far = ['10.255.255.1', '172.31.255.1', '192.168.255.1'];
    assert.ok(far.some((address) => strict.permits(address)));
  });
});

describe('the address guard: hosts that a tunnel names', () => {
  const hosts = ['127.0.0.1', '::1', '0x7f.1', '0177.1', '2130706433', 'localhost', '127.1'];
  for (const host of hosts) {
    it(`refuses ${host} as it stands`, async () => {
      await assert.rejects(strict.resolve(host), DENIED);
    });
  }

  it('refuses a zone, which is always a link of this machine', () => {
    assert.equal(strict.permits('fe80::1%lo'), false);
    assert.equal(strict.permits('2606:4700::1111%eth0'), false);
  });

  it('says clearly what cannot be resolved', async () => {
    for (const host of ['no-such-host.invalid', '', 'a b', 'a/b', '[::1', 'x'.repeat(300)]) {
      await assert.rejects(strict.resolve(host), { code: 'E_ORIGIN_UNREACHABLE' }, host);
    }
    assert.equal(strict.permits('no address'), false);
  });

  it('refuses every address of this machine and of its networks', () => {
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    assert.ok(own.length > 0);
    for (const { address } of own) assert.equal(strict.permits(address), false, address);
    for (const { address, family, netmask } of own) {
      if (family !== 'IPv4' || netmask !== '255.255.255.0') continue;
      const neighbour = address.replace(/\d+$/, (last) => String((Number(last) % 253) + 1));
      assert.equal(strict.permits(neighbour), false, neighbour);
    }
  });
});

describe('the address guard: what the admin allows', () => {
  it('is allowed, whichever way it is written, and nothing beside it', async () => {
    const guard = new AddressGuard(['127.0.0.0/30', 'fd00:ec2::/32', '10.1.0.0/16']);
    assert.deepEqual(await guard.resolve('127.0.0.1'), ['127.0.0.1']);
    assert.equal(guard.permits('127.0.0.3'), true);
    assert.equal(guard.permits('127.0.0.4'), false);
    assert.equal(guard.permits('fd00:ec2::254'), true);
    assert.equal(guard.permits('::1'), false);
    assert.equal(guard.permits('64:ff9b::7f00:1'), false);
  });

  it('is refused with its name where it is no network', () => {
    for (const wrong of ['10.0.0.0/33', '10.0.0/8', 'fe80::/129', '1.2.3.4/', ':/8', '.../8']) {
      assert.throws(() => new AddressGuard([wrong]), { code: 'E_CONFIG_INVALID' }, wrong);
    }
  });
});
