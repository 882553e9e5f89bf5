/** Ranges: parts of a resource, and when a client gets all of it instead. */
import assert from 'node:assert/strict';
import { Rig } from './rig.js';

const URL_TEXT = 'http://origin.test/file.bin';
const BODY = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
const DATE = 'Sun, 01 Nov 2026 10:00:00 GMT';
const HEAD = { etag: '"one"', 'last-modified': DATE, 'content-type': 'text/plain' };

describe('url-cache: a resource in part', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: BODY, headers: HEAD });
  });
  afterEach(() => rig.stop());

  const slice = (start: number, end: number) => BODY.subarray(start, end).toString();

  const part = (range: string, headers = {}) => rig.get(URL_TEXT, { range, ...headers });

  it('answers a range with 206 and asks the core for no more', async () => {
    const answer = await part('bytes=10-19');
    assert.equal(answer.status, 206);
    assert.equal(answer.headers['content-range'], 'bytes 10-19/1000');
    assert.equal(answer.headers['content-length'], '10');
    assert.equal(answer.body, slice(10, 20));
    assert.equal(rig.peering.last.startByte, 10);
    assert.equal(rig.peering.last.lengthBytes, 10);
  });

  it('answers an open range to the end', async () => {
    const answer = await part('bytes=990-');
    assert.equal(answer.headers['content-range'], 'bytes 990-999/1000');
    assert.equal(answer.body, slice(990, 1_000));
  });

  it('cuts a range that reaches beyond the end', async () => {
    const answer = await part('bytes=990-5000');
    assert.equal(answer.headers['content-range'], 'bytes 990-999/1000');
    assert.equal(answer.body, slice(990, 1_000));
  });

  it('answers the last bytes, and closes what it opened to learn the size', async () => {
    const answer = await part('bytes=-5');
    assert.equal(answer.headers['content-range'], 'bytes 995-999/1000');
    assert.equal(answer.body, slice(995, 1_000));
    assert.deepEqual(
      rig.peering.bodies.map((body) => [body.isClosed, body.deliveredBytes]),
      [
        [true, 0],
        [true, 5],
      ],
    );
  });

  it('answers the last bytes of a shorter resource with all of it', async () => {
    const answer = await part('bytes=-5000');
    assert.equal(answer.headers['content-range'], 'bytes 0-999/1000');
    assert.equal(answer.body, BODY.toString());
  });

  it('answers 416 with the size beyond the end', async () => {
    const answer = await part('bytes=1000-');
    assert.equal(answer.status, 416);
    assert.equal(answer.headers['content-range'], 'bytes */1000');
    assert.equal(rig.peering.bodies[0]?.isClosed, true);
  });

  for (const range of ['bytes=0-1,5-6', 'bytes=5-2', 'lines=1-2', 'bytes=x-y', 'bytes', '']) {
    it(`answers all of it to Range: ${JSON.stringify(range)}`, async () => {
      const answer = await part(range);
      assert.equal(answer.status, 200);
      assert.equal(answer.body, BODY.toString());
    });
  }

  it('answers all of it while the size is unknown', async () => {
    rig.peering.put(URL_TEXT, { body: BODY, isSizeKnown: false });
    const answer = await part('bytes=10-19');
    assert.equal(answer.status, 200);
    assert.equal(answer.body, BODY.toString());
    assert.equal(
      rig.peering.bodies.every((body) => body.isClosed),
      true,
    );
  });

  it('passes an error page on, whole or cut, without promising a length', async () => {
    rig.peering.put(URL_TEXT, { status: 404, body: 'no such file' });
    const answer = await part('bytes=0-511');
    assert.equal(answer.status, 404);
    assert.equal(answer.body, 'no such file');
    assert.equal(rig.peering.requests.length, 1, 'a 404 must not be asked for twice');
  });

  it('continues a part whose If-Range still holds, by tag and by date', async () => {
    for (const validator of ['"one"', DATE]) {
      const answer = await part('bytes=990-', { 'if-range': validator });
      assert.equal(answer.status, 206, validator);
    }
  });

  it('sends all of it when If-Range no longer holds, or is weak', async () => {
    for (const validator of ['"two"', 'W/"one"', 'Sun, 01 Nov 2026 10:00:01 GMT', 'x']) {
      const answer = await part('bytes=990-', { 'if-range': validator });
      assert.equal(answer.status, 200, validator);
      assert.equal(answer.body, BODY.toString());
    }
    assert.equal(
      rig.peering.bodies.every((body) => body.isClosed),
      true,
    );
  });
});
