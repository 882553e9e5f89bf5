/**
 * What the content shell relies on of a LAN (`LanPeering`, `LanSearch`): one suite for the real
 * packet shell, three of it on loopback, and for the fake that the other tests use.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { PeeringDriver } from '@peerage/core/peering/driver.js';
import type { Announcement, LanPeering, LanSearch } from '@peerage/core/ports/ports.js';
import type { PeerSource } from '@peerage/core/protocol/effect.js';
import type { Copy } from '@peerage/core/protocol/message.js';
import { Peer } from '@peerage/core/protocol/peer.js';
import { SystemRandom, systemClock } from '@peerage/core/system.js';
import { Opener } from '@peerage/core/wire/open.js';
import { Sealer } from '@peerage/core/wire/seal.js';
import { contentOf, sha256Of, vouch } from '../fakes/content.js';
import { FakeLan } from '../fakes/lan.js';
import { RecordingLogger } from '../fakes/log.js';
import { member, signerOf } from '../fakes/members.js';
import { keyringOf } from '../fakes/peers.js';
import { freePacketPort } from '../fakes/ports.js';

const HELD = 'https://origin.example/held';
const ABSENT = 'https://origin.example/absent';
const HOLDERS = ['holder1', 'holder2'];

interface Subject {
  readonly lan: LanPeering;
  /** Another node announces something. */
  elsewhere(service: string, name: string, values: Record<string, string>): void;
  end(): Promise<void>;
}

function copyOf(url: string): Copy {
  const { signed } = vouch(url, contentOf('held', 1000));
  const { sizeBytes, sha256, fetchedAt, expiresAt } = signed.attestation;
  const attestation = `/a/${sha256Of(signed.bytes)}`;
  return { alias: `/o/${sha256}`, sizeBytes, sha256, attestation, fetchedAt, expiresAt };
}

async function makeFake(): Promise<Subject> {
  const lan = new FakeLan();
  for (const [i, name] of HOLDERS.entries()) {
    const { kid } = member(name);
    const endpoint = { kid, name, address: `127.0.0.${32 + i}`, port: 6515 };
    lan.offer(HELD, { kind: 'peer', ...endpoint, copy: copyOf(HELD) });
    lan.places.set(kid, endpoint);
  }
  return {
    lan,
    elsewhere: (service, name, values) => lan.hear(service, 'holder1', name, values),
    end: async () => undefined,
  };
}

function makeDriver(name: string, address: string, packetPort: number): PeeringDriver {
  const identity = member(name);
  const { group, kid } = identity;
  const boot = randomBytes(16).toString('base64url');
  const holds = HOLDERS.includes(name) ? copyOf(HELD) : undefined;
  const peer = new Peer({
    kid,
    boot,
    profile: 'adaptive',
    client: true,
    server: true,
    internet: true,
    broadcastResponses: false,
    roundTripInitialMs: 4,
    peering: true,
    copies: {
      find: ({ href }) => (href === HELD ? holds : undefined),
      downloading: () => undefined,
    },
    random: new SystemRandom(),
    sha256: (text) => Buffer.from(sha256Of(Buffer.from(text)), 'hex'),
  });
  return new PeeringDriver({
    peer,
    opener: new Opener({ group, ownKid: kid, keyring: keyringOf(identity) }),
    sealer: new Sealer({ group, boot, port: 6515, ...signerOf(identity) }),
    clock: systemClock,
    logger: new RecordingLogger(),
    peering: true,
    address,
    packetPort,
    onInterface: async () => undefined,
  });
}

async function makeReal(): Promise<Subject> {
  const port = await freePacketPort('127.0.0.1');
  const drivers = ['asker', ...HOLDERS].map((name, i) => {
    return makeDriver(name, `127.0.0.${31 + i}`, port);
  });
  const [lan] = drivers;
  assert.ok(lan !== undefined);
  for (const driver of drivers) await driver.start();
  while (lan.status().peers.length < HOLDERS.length) await turn();
  return {
    lan,
    elsewhere: (service, name, values) => drivers[1]?.announce(service, name, values),
    end: async () => {
      for (const driver of drivers) await driver.stop();
    },
  };
}

const wantOf = (href: string) => {
  return { service: 'test', href, variant: 'v', stale: true, waitMaxMs: 1000 };
};

/** Searches until a holder is heard; a busy machine may miss one answer. */
async function searchHeld(lan: LanPeering): Promise<{ search: LanSearch; source: PeerSource }> {
  for (let tries = 0; tries < 50; tries += 1) {
    const search = lan.search(wantOf(HELD));
    const source = await search.first();
    if (source.kind === 'peer') return { search, source };
    search.cancel();
  }
  throw new Error('no holder was ever heard');
}

/** Call it inside `describe`; gives the LAN of the test that runs. */
function useLan(make: () => Promise<Subject>): () => LanPeering {
  const subject = useSubject(make);
  return () => subject().lan;
}

function useSubject(make: () => Promise<Subject>): () => Subject {
  let subject: Subject;
  beforeEach(async () => {
    subject = await make();
  });
  afterEach(() => subject.end());
  return () => subject;
}

const LANS = [
  ['made up', makeFake],
  ['of real sockets', makeReal],
] as const;

for (const [what, make] of LANS) {
  describe(`a LAN ${what}`, () => {
    const lan = useLan(make);

    it('names a holder, then others or the Internet, and in the end nothing', async () => {
      const { search, source } = await searchHeld(lan());
      assert.equal(source.copy.sha256, sha256Of(contentOf('held', 1000)));
      assert.deepEqual([source.copy.sizeBytes, source.kid], [1000, member(source.name).kid]);
      const seen = [source.name];
      let next = await search.next(source, 'failed');
      while (next !== undefined && next.kind === 'peer') {
        assert.ok(!seen.includes(next.name), 'no source comes twice');
        seen.push(next.name);
        next = await search.next(next, 'failed');
      }
      assert.ok(seen.every((name) => HOLDERS.includes(name)));
      assert.equal(next?.kind, 'origin');
      assert.equal(next === undefined ? undefined : await search.next(next, 'failed'), undefined);
    });

    it('sends to the Internet, and says why, where nobody holds it', async () => {
      const search = lan().search(wantOf(ABSENT));
      const source = await search.first();
      assert.equal(source.kind, 'origin');
      assert.ok(source.kind === 'origin' && source.reason.length > 0);
      search.done();
    });

    it('leaves a liar out of the next search', async () => {
      const { search, source } = await searchHeld(lan());
      await search.next(source, 'lied');
      search.cancel();
      assert.deepEqual(lan().status().banned, [source.name]);
      const again = await searchHeld(lan());
      assert.notEqual(again.source.name, source.name);
      again.search.done();
    });

    it('knows where its peers are, and nobody else', () => {
      for (const [i, name] of HOLDERS.entries()) {
        const found = lan().locate(member(name).kid);
        assert.deepEqual([found?.name, found?.address], [name, `127.0.0.${32 + i}`]);
      }
      assert.equal(lan().locate(member('nobody').kid), undefined);
    });
  });
}

for (const [what, make] of LANS) {
  describe(`the searches of a LAN ${what}`, () => {
    const lan = useLan(make);

    it('end once, in whatever order it comes', async () => {
      const { search } = await searchHeld(lan());
      search.done();
      search.done();
      search.cancel();
      const other = await searchHeld(lan());
      other.search.cancel();
      other.search.cancel();
      other.search.done();
    });

    it('leave nobody waiting when they are cancelled', async () => {
      const search = lan().search(wantOf(ABSENT));
      const first = search.first();
      search.cancel();
      assert.equal((await first).kind, 'origin');
    });

    it('go on side by side', async () => {
      const wants = [HELD, ABSENT, HELD, ABSENT].map(wantOf);
      const searches = wants.map((want) => lan().search(want));
      const sources = await Promise.all(searches.map((search) => search.first()));
      for (const [i, source] of sources.entries()) {
        if (i % 2 === 1) assert.equal(source.kind, 'origin');
      }
      for (const search of searches) search.cancel();
    });
  });
}

for (const [what, make] of LANS) {
  describe(`the announcements of a LAN ${what}`, () => {
    const subject = useSubject(make);

    it('reach the same plugin on other nodes, and no other plugin', async () => {
      const { lan, elsewhere } = subject();
      const others: Announcement[] = [];
      lan.onAnnouncement('other', (heard) => others.push(heard));
      const heard = new Promise<Announcement>((resolve) => {
        lan.onAnnouncement('feed', resolve);
      });
      elsewhere('feed', 'version', { number: '12 & <more>', Day: 'Montag' });
      assert.deepEqual(await heard, {
        name: 'version',
        values: { number: '12 & <more>', Day: 'Montag' },
        from: 'holder1',
      });
      assert.deepEqual(others, []);
    });

    it('reach nobody who no longer listens', async () => {
      const { lan, elsewhere } = subject();
      const seen: string[] = [];
      const ended = lan.onAnnouncement('feed', ({ name }) => seen.push(name));
      ended.dispose();
      const heard = new Promise((resolve) => {
        lan.onAnnouncement('feed', resolve);
      });
      elsewhere('feed', 'last', {});
      await heard;
      assert.deepEqual(seen, []);
    });
  });
}
