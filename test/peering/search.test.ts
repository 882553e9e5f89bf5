/** A search as the content shell sees it: what is offered, in turn, and what replaces the Internet. */
import assert from 'node:assert/strict';
import { PendingSearch } from '@peerage/core/peering/search.js';
import type { FlightSource, Source } from '@peerage/core/protocol/effect.js';

const ORIGIN: Source = { kind: 'origin', reason: 'nobody-answered' };
const FLIGHT: FlightSource = {
  kind: 'flight',
  kid: 'k',
  name: 'pc-1',
  address: '192.0.2.1',
  port: 6515,
  flight: '/f/0',
};

describe('a pending search', () => {
  function pending(): PendingSearch {
    return new PendingSearch({ retrieved: () => undefined, cancel: () => undefined }, 'http://x/');
  }

  async function isOpen(promise: Promise<unknown>): Promise<boolean> {
    const open = Symbol('open');
    await new Promise(setImmediate);
    return (await Promise.race([promise, Promise.resolve(open)])) === open;
  }

  it('tells of a better source while the Internet is asked', async () => {
    const search = pending();
    search.offered(ORIGIN);
    assert.equal(await search.first(), ORIGIN);
    const { better } = search;
    assert.equal(await isOpen(better), true);
    search.offered(FLIGHT);
    assert.equal(await better, FLIGHT);
  });

  it('does not tell of it again when it failed and the Internet is asked anew', async () => {
    const search = pending();
    search.offered(ORIGIN);
    await search.first();
    search.offered(FLIGHT);
    assert.equal(await search.better, FLIGHT);
    const next = search.next(FLIGHT, 'failed');
    search.offered(ORIGIN);
    assert.equal(await next, ORIGIN);
    assert.equal(await isOpen(search.better), true);
    search.offered(FLIGHT);
    assert.equal(await search.better, FLIGHT);
  });
});
