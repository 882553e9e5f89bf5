/** The origin: what it serves, and that it counts right. */
import assert from 'node:assert/strict';
import { succeeded } from './command.js';
import { contentSha256 } from './content.js';
import { Lan } from './lan.js';
import { missingForOrigin, OriginService } from './origin-service.js';
import { skipIf } from './skip.js';

describe('the origin of a LAN', () => {
  let lan: Lan;
  let origin: OriginService;

  before(skipIf(missingForOrigin));
  before(async () => {
    lan = Lan.create({ hosts: 1, internetRateKbit: 50_000 });
    origin = await OriginService.start(lan.origin, { tls: true });
  });
  after(() => lan?.dispose());

  it('serves made content over TLS with the bytes that its seed stands for', async () => {
    const fetched = `${lan.host(1).directory}/fetched`;
    const options = ['-sS', '--fail', '--cacert', origin.certificateFile];
    const url = `${origin.tlsUrl}/bytes/300001/seed`;
    succeeded('curl', await lan.host(1).run('curl', [...options, '-o', fetched, url]));
    const resumed = ['-r', '100003-', '-o', `${fetched}.tail`];
    succeeded('curl', await lan.host(1).run('curl', [...options, ...resumed, url]));
    const rest = `head -c 100003 ${fetched} | cat - ${fetched}.tail | sha256sum; sha256sum ${fetched}`;
    const { stdout } = await lan.host(1).run('sh', ['-c', rest]);
    const sums = stdout.split('\n').map((line) => line.split(' ')[0]);
    const expected = contentSha256('seed', 300_001);
    assert.deepEqual(sums.slice(0, 2), [expected, expected]);
  });

  it('counts bodies, bytes and answers without a body for each URL', async () => {
    await origin.reset();
    const url = `${origin.url}/bytes/5000/counted`;
    const ask = ['-sS', '-o', '/dev/null'];
    await lan.host(1).run('curl', [...ask, url]);
    await lan.host(1).run('curl', [...ask, '-r', '0-9', url]);
    await lan.host(1).run('curl', [...ask, '-H', 'If-None-Match: "counted-5000"', url]);
    await lan.host(1).run('curl', [...ask, '-r', '0-9', `${url}?range=0`]);
    await lan.host(1).run('curl', [...ask, '--data', 'hello', `${origin.url}/report`]);
    await lan.host(1).run('curl', [...ask, `${origin.url}/../../etc/passwd`]);
    const { urls, total } = await origin.counts();
    const counted = urls['/bytes/5000/counted'];
    assert.deepEqual(
      [counted?.gets, counted?.bodies, counted?.partials, counted?.notModified],
      [3, 2, 1, 1],
    );
    assert.equal(counted?.bodyBytes, 5010);
    assert.equal(urls['/bytes/5000/counted?range=0']?.bodyBytes, 5000);
    assert.equal(urls['/report']?.uploadedBytes, 5);
    assert.equal(total.failures, 1);
  });

  it('tells its counts to nobody on the LAN', async () => {
    const asked = await lan.host(1).run('curl', ['-sS', '--fail', `${origin.url}/__counts`]);
    assert.equal(asked.code, 22);
  });
});
