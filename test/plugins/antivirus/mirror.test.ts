/** The mirror on loopback: what stock clients ask, and what they get. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { useScratch } from '../../fakes/scratch.js';
import { FakeLan } from '../../update-agent/fake-lan.js';
import { ClamavOrigin, versionOf } from './clamav-origin.js';
import { TestNode } from './rig.js';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

describe('antivirus: the mirror for freshclam', () => {
  const scratch = useScratch();
  let lan: FakeLan;
  let origin: ClamavOrigin;
  let node: TestNode;
  beforeEach(async () => {
    lan = new FakeLan();
    origin = await ClamavOrigin.start(lan);
    origin.publish(2);
    node = await TestNode.start(lan, 'one', { directory: scratch() });
    await node.check();
    origin.publish(4);
    await node.check();
  });
  afterEach(async () => {
    await node.stop();
    origin.stop();
  });

  function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
    return new Promise<Answer>((resolve, reject) => {
      const sent = request(`${node.mirror}${path}`, { headers, method, agent: false });
      sent.once('error', reject);
      sent.once('response', (response) => {
        buffer(response).then((body) => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        }, reject);
      });
      sent.end();
    });
  }

  const header = versionOf(4).database.subarray(0, 512);

  it('gives the header alone to who asks for it, and fetches no more for that', async () => {
    const before = lan.asked.length;
    const answer = await get('/test.cvd', { range: 'bytes=0-511' });
    deepEqual([answer.status, answer.body.equals(header)], [206, true]);
    equal(answer.headers['content-range'], 'bytes 0-511/*');
    const part = await get('/test.cvd', { range: 'bytes=0-95' });
    deepEqual(part.body, header.subarray(0, 96));
    equal(lan.asked.length, before);
  });

  it('says by Last-Modified what the header says, and 304 to who has that', async () => {
    const { headers } = await get('/test.cvd', { range: 'bytes=0-511' });
    const modified = String(headers['last-modified']);
    equal(Date.parse(modified), (1_700_000_000 + 240) * 1000);
    const again = await get('/test.cvd', { range: 'bytes=0-511', 'if-modified-since': modified });
    equal(again.status, 304);
    const older = new Date(Date.parse(modified) - 1000).toUTCString();
    equal((await get('/test.cvd', { 'if-modified-since': older })).status, 200);
  });

  it('gives the whole, fetched once when the first asks', async () => {
    const before = lan.asked.length;
    for (let times = 0; times < 3; times += 1) {
      const { status, body } = await get('/test.cvd');
      deepEqual([status, body.equals(versionOf(4).database)], [200, true]);
    }
    equal(lan.asked.length, before + 1);
    const range = await get('/test.cvd', { range: 'bytes=100-' });
    deepEqual([range.status, range.body.equals(versionOf(4).database.subarray(100))], [206, true]);
    const size = versionOf(4).database.length;
    equal((await get('/test.cvd', { range: `bytes=${size}-` })).status, 416);
  });

  it('gives differences, and older ones on demand', async () => {
    for (const number of [2, 3, 4]) {
      const { status, body } = await get(`/test-${number}.cdiff`);
      deepEqual([status, body.equals(versionOf(number).difference)], [200, true]);
    }
  });

  it('gives an empty difference where there is none, so that the client takes the whole', async () => {
    origin.remove('test-2.cdiff');
    lan.shared.clear();
    const { status, body } = await get('/test-2.cdiff');
    deepEqual([status, body.length], [200, 0]);
  });

  it('gives an empty difference in place of a forged one', async () => {
    origin.put('test-2.cdiff', 'ClamAV-Diff:2:5:evil:aaaa');
    lan.shared.clear();
    const { status, body } = await get('/test-2.cdiff');
    deepEqual([status, body.length], [200, 0]);
  });

  it('names a version as cvdupdate does', async () => {
    const { status, body } = await get('/test.cvd?version=4');
    deepEqual([status, body.equals(versionOf(4).database)], [200, true]);
    equal((await get('/test.cvd?version=77')).status, 404);
  });

  it('gives detached signatures where the source has them, and asks no further where not', async () => {
    origin.put('test-4.cdiff.sign', '#clamsign-1.0\n1:2:pkcs7-pem:AAAA\n');
    origin.put('test-4.cvd.sign', '<html>');
    match(String((await get('/test-4.cdiff.sign')).body), /^#clamsign/);
    equal((await get('/test-4.cvd.sign')).status, 404);
    equal((await get('/test-3.cdiff.sign')).status, 404);
    const before = lan.asked.length;
    equal((await get('/test-3.cdiff.sign')).status, 404);
    equal((await get('/test-9.cdiff.sign')).status, 404);
    equal(lan.asked.length, before);
  });

  it('answers what it has not with 404 or 503, never with 403 or 429', async () => {
    const paths = [
      '/',
      '/other.cvd',
      '/test.cld',
      '/test-9.cdiff',
      '/../etc/passwd',
      '/test-2.cvd',
    ];
    for (const path of [...paths, '/test-4.cdiff.sign', `/${'a'.repeat(300)}.cvd`]) {
      equal((await get(path)).status, 404, path);
    }
    equal((await get('/test.cvd', {}, 'POST')).status, 405);
    origin.remove('test.cvd');
    lan.shared.clear();
    equal((await get('/test.cvd')).status, 503);
  });
});
