/** What the request path lends: what a call would answer from the store now, and until when. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Loan } from '@peerage/core/ports/leases.js';
import { PieceCheck } from '@peerage/core/trust/piece-check.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import type { ResourceRequest } from '@peerage/sdk';
import { contentOf } from '../fakes/content.js';
import type { ContentNode } from '../fakes/content-node.js';
import { isRight, useRig } from './rig.js';

const content = contentOf('lend', PIECE_BYTES + 5);
const FRESH = { 'cache-control': 'max-age=60', etag: '"one"' };

describe('a loan', () => {
  const rig = useRig();
  let node: ContentNode;
  let url: string;

  beforeEach(async () => {
    const { origin } = rig();
    node = await rig().node();
    url = origin.url('/a');
    origin.serve('/a', { content, headers: FRESH });
    await isRight(node, url, 'origin', content);
  });

  const lend = (request: Partial<ResourceRequest> = {}) => node.path.lend({ url, ...request });

  async function lent(request: Partial<ResourceRequest> = {}): Promise<Loan> {
    const loan = await lend(request);
    ok(loan !== undefined);
    return loan;
  }

  it('has the head, the file and the hashes of what is in the store', async () => {
    node.clock.advance(7000);
    const loan = await lent();
    equal(new Map(loan.headers).get('age'), '7');
    deepEqual([loan.status, loan.sizeBytes, loan.variant], [200, content.length, '*']);
    const bytes = await readFile(loan.path);
    ok(bytes.equals(content));
    const check = new PieceCheck(loan.hashes);
    ok(check.isRight(bytes.subarray(0, PIECE_BYTES), 0));
    ok(check.isRight(bytes.subarray(PIECE_BYTES), 1));
  });

  it('lasts as long as the answer is fresh for this request', async () => {
    const now = node.clock.wallMs();
    equal((await lent()).freshUntilMs - now, 60_000);
    const minFresh = await lent({ headers: { 'cache-control': 'min-fresh=20' } });
    equal(minFresh.freshUntilMs - now, 40_001);
    const maxAge = await lent({ headers: { 'cache-control': 'max-age=9' } });
    equal(maxAge.freshUntilMs - now, 10_000);
    const immutable = await lent({ policy: { immutable: true } });
    ok(immutable.freshUntilMs - now > 300 * 86_400_000);
  });

  it('is not made of what a call would not answer from the store', async () => {
    equal(await lend({ url: `${url}/other` }), undefined);
    equal(await lend({ headers: { 'cache-control': 'no-cache' } }), undefined);
    equal(await lend({ headers: { authorization: 'Basic eA==' } }), undefined);
    equal(
      await lend({ policy: { digest: { algorithm: 'sha256', hex: '0'.repeat(64) } } }),
      undefined,
    );
    node.clock.advance(61_000);
    equal(await lend(), undefined);
  });

  it('knows when its copy went, and the listeners are told in the same turn', async () => {
    const loan = await lent();
    const gone: string[] = [];
    node.path.onObjectsGone(({ reason, copies }) => {
      equal(loan.isCurrent(), false);
      gone.push(...copies.map((copy) => `${reason} ${copy.url} ${copy.sha256 === loan.sha256}`));
    });
    ok(loan.isCurrent());
    await node.path.purge(url);
    deepEqual(gone, [`purged ${url} true`]);
  });

  it('is counted when it was used', async () => {
    (await lent()).used(3, 3000);
    const { counters } = node.path.status();
    deepEqual([counters['requests-leased'], counters['bytes-from-store']], [3, 3000]);
  });
});
