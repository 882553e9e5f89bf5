/** Conditions: whether the client holds the current version already. */
import assert from 'node:assert/strict';
import { Rig } from './rig.js';

const URL_TEXT = 'http://origin.test/file.bin';
const BODY = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
const DATE = 'Sun, 01 Nov 2026 10:00:00 GMT';
const HEAD = { etag: '"one"', 'last-modified': DATE, 'content-type': 'text/plain' };

describe('url-cache: a resource on a condition', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await Rig.start();
    rig.peering.put(URL_TEXT, { body: BODY, headers: HEAD });
  });
  afterEach(() => rig.stop());

  const check = async (headers: Record<string, string>, status: number) => {
    const answer = await rig.get(URL_TEXT, headers);
    assert.equal(answer.status, status, JSON.stringify(headers));
    assert.equal(
      rig.peering.bodies.every((body) => body.isClosed),
      true,
    );
    return answer;
  };

  it('answers 304 to a matching tag, comparing weakly', async () => {
    const answer = await check({ 'if-none-match': '"zero", W/"one"' }, 304);
    assert.equal(answer.headers.etag, '"one"');
    assert.equal(answer.headers['content-type'], undefined);
    assert.equal(answer.body, '');
    await check({ 'if-none-match': '*' }, 304);
    rig.peering.put(URL_TEXT, { body: BODY, headers: { etag: 'W/"one"' } });
    await check({ 'if-none-match': '"one"' }, 304);
  });

  it('answers 304 to a copy that is not older', async () => {
    await check({ 'if-modified-since': DATE }, 304);
    await check({ 'if-modified-since': 'Mon, 02 Nov 2026 10:00:00 GMT' }, 304);
  });

  it('answers 200 to another tag, an older copy, nonsense', async () => {
    await check({ 'if-none-match': '"two"' }, 200);
    await check({ 'if-modified-since': 'Sat, 31 Oct 2026 10:00:00 GMT' }, 200);
    await check({ 'if-modified-since': 'yesterday' }, 200);
  });

  it('lets the tag decide where both are given', async () => {
    await check({ 'if-none-match': '"two"', 'if-modified-since': DATE }, 200);
  });

  it('answers 304 to a header probe of freshclam, Range or not', async () => {
    await check({ range: 'bytes=0-511', 'if-modified-since': DATE }, 304);
  });

  it('does not show the conditions to the core', async () => {
    const conditions = { 'if-none-match': '"x"', 'if-modified-since': DATE, range: 'bytes=0-1' };
    await rig.get(URL_TEXT, { ...conditions, 'if-range': '"x"', 'cache-control': 'max-age=0' });
    const names = Object.keys(rig.peering.last.headers ?? {});
    assert.equal(
      names.some((name) => name.startsWith('if-') || name === 'range'),
      false,
    );
    assert.equal(rig.peering.last.headers?.['cache-control'], 'max-age=0');
  });
});
