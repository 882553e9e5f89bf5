/** Digests known in advance, of every kind, are held against stored copies too (PROTOCOL §7). */
import { equal, rejects } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { contentOf } from '../fakes/content.js';
import { isRight, useRig } from './rig.js';

const content = contentOf('known digest', 300_000);
const ALGORITHMS = ['sha1', 'sha512', 'md5'] as const;

describe('a digest other than SHA-256 that the client knows', () => {
  const rig = useRig();
  const hexOf = (algorithm: string, bytes: Buffer) =>
    createHash(algorithm).update(bytes).digest('hex');

  for (const algorithm of ALGORITHMS) {
    it(`${algorithm}: a hit is delivered only if it has it`, async () => {
      const { origin } = rig();
      origin.serve('/a', { content, headers: { 'cache-control': 'max-age=3600' } });
      const url = origin.url('/a');
      const node = await rig().node();
      await isRight(node, url, 'origin', content);
      const right = { algorithm, hex: hexOf(algorithm, content) };
      await isRight(node, url, 'hit', content, { policy: { digest: right } });
      const wrong = { algorithm, hex: hexOf(algorithm, Buffer.from('other')) };
      await rejects(node.get(url, { policy: { digest: wrong } }), { code: 'E_DIGEST_MISMATCH' });
      equal((await node.get(url)).source, 'hit');
    });
  }
});
