/**
 * The High findings of the audit of Dragonfly2 (Trail of Bits, 2023) and what was found later of the
 * same kind, each as a test that we do not have it. Research: who distributes files between peers
 * makes these mistakes.
 */
import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { AddressGuard } from '@peerage/core/transfer/guard.js';
import { ObjectFiles } from '@peerage/core/transfer/object-files.js';
import { OriginFetcher } from '@peerage/core/transfer/origin.js';
import { PeerFetcher } from '@peerage/core/transfer/peer-fetch.js';
import { openAttestation } from '@peerage/core/trust/attestation.js';
import { PIECE_BYTES } from '@peerage/core/trust/pieces.js';
import { commonName } from '@peerage/core/trust/policy.js';
import { sealFrame } from '@peerage/core/wire/frame.js';
import { parseElement } from '@peerage/core/wire/xml.js';
import { contentOf, vouch } from '../fakes/content.js';
import { member } from '../fakes/members.js';
import { keyringOf } from '../fakes/peers.js';
import { useScratch } from '../fakes/scratch.js';
import { prepared, Stage } from '../membership/stage.js';
import { useRig } from '../transfer/rig.js';
import {
  byeAttributes,
  makeStage,
  NOBODY,
  openerFor,
  outcome,
  signed,
  WALL_MS,
} from '../wire/stage.js';

describe('TOB-DF2-2: requests that others make us send (SSRF)', () => {
  const rig = useRig();

  it('a URL that leads to this machine is refused before any connection', async () => {
    const { origin } = rig();
    const options = { guard: new AddressGuard([]), upstreamProxy: '', extraCa: '' };
    const fetcher = new OriginFetcher(options);
    const denied = { code: 'E_ADDRESS_DENIED' };
    await rejects(fetcher.fetch('GET', origin.url('/preheat'), {}), denied);
    await rejects(fetcher.fetch('GET', 'http://169.254.169.254/latest/meta-data', {}), denied);
    equal(origin.asked.length, 0);
  });

  it('a redirection is passed on to the client, never followed', async () => {
    const { origin } = rig();
    origin.on('/moved', (_request, response) => {
      response.writeHead(302, { location: origin.url('/inside') }).end();
    });
    const node = await rig().node();
    equal((await node.get(origin.url('/moved'))).status, 302);
    equal(origin.count('/inside'), 0);
  });
});

describe('TOB-DF2-12: files of a peer that others read or write', () => {
  const rig = useRig();
  const scratch = useScratch();

  it('no path of a member leads anywhere but to what is shared, under its digest', async () => {
    const holder = await rig().holder('holder');
    const { key, certificate } = member('curious');
    const credentials = {
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate.toString(),
    };
    const ask = async (path: string, method: string) => {
      const { address: host, port } = holder;
      const how = { ...credentials, rejectUnauthorized: false, agent: false };
      const outgoing = request({ host, port, path, method, ...how });
      outgoing.end(method === 'PUT' ? 'x' : undefined);
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    const paths = [
      '/etc/passwd',
      '/o/../../../etc/passwd',
      '/o/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      `/o/${'a'.repeat(62)}/.`,
      '/o//etc/passwd',
      'http://elsewhere/etc/passwd',
    ];
    for (const path of paths) equal(await ask(path, 'GET'), 404, path);
    for (const method of ['PUT', 'POST', 'DELETE']) equal(await ask('/o/x', method), 404, method);
  });

  it('nothing but a digest can become a path', () => {
    const root = scratch();
    const files = new ObjectFiles(root);
    for (const name of ['../../etc/passwd', '/etc/passwd', 'A'.repeat(64), `${'a'.repeat(64)}/x`]) {
      throws(() => files.path('objects', name), name);
    }
    ok(files.path('objects', 'ab'.repeat(32)).startsWith(root));
    equal(existsSync(`${root}/../passwd`), false);
  });
});

describe('TOB-DF2-13: certificates for any name that is asked for', () => {
  it('the name is that of the token, whatever else the request says', async () => {
    const stage = await new Stage().open();
    try {
      const { secret } = await stage.token('pc-7');
      const { connection, body } = await prepared(stage, secret);
      const wish = { name: 'hub', subject: 'CN=hub', commonName: 'hub', ip: '10.0.0.1' };
      const { status, fields } = await connection.send('POST', '/j/enrol', { ...body, ...wish });
      connection.close();
      equal(status, 200);
      const der = Buffer.from(String(fields['certificate']), 'base64url');
      const certificate = new X509Certificate(der);
      deepEqual([commonName(certificate), certificate.subjectAltName], ['pc-7', undefined]);
    } finally {
      await stage.close();
    }
  });
});

describe('TOB-DF2-15: weak piece hashes, and whoever may choose the algorithm', () => {
  const rig = useRig();
  const content = contentOf('pieces', 2 * PIECE_BYTES);
  const URL_A = 'https://origin.example/a';

  it('MD5 hashes in the place of SHA-256 are a lie', async () => {
    const peer = await rig().scripted('peer');
    const pieces = [content.subarray(0, PIECE_BYTES), content.subarray(PIECE_BYTES)];
    const md5 = pieces.map((piece) => createHash('md5').update(piece).digest());
    const fetcher = new PeerFetcher(member('asker'), keyringOf(member('asker')), () => undefined);
    for (const hashes of [Buffer.concat(md5), Buffer.concat([...md5, ...md5])]) {
      const source = peer.offer(URL_A, content, { hashes });
      await rejects(fetcher.offer(source), { code: 'E_PEER_LIED' });
    }
    fetcher.close();
  });

  it('an attestation that names an algorithm changes nothing: there is one', () => {
    const { signed: word } = vouch(URL_A, content);
    const { key } = member('fetcher');
    const pairs = [...(parseElement(word.bytes.toString('utf8')) ?? [])];
    const changed = pairs
      .filter(([name]) => name !== 'sig')
      .map(([name, value]) => [name, name === 'sha256' ? value.slice(0, 32) : value] as const);
    const frame = sealFrame('peerage/attestation/v1', [...changed, ['algorithm', 'md5']], key);
    const verdict = openAttestation(frame, keyringOf(member('asker')));
    equal(verdict.ok ? 'ok' : verdict.reason, 'schema');
  });
});

describe('TOB-DF2-17: small files over plain HTTP', () => {
  it('a peer is never spoken to without TLS, however small the object', async () => {
    const heard: Buffer[] = [];
    const plain = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (bytes) => {
        heard.push(bytes);
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
      });
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as AddressInfo;
    const { signed: word } = vouch('https://origin.example/tiny', Buffer.from('x'));
    const { sha256, sizeBytes, fetchedAt, expiresAt } = word.attestation;
    const attestation = `/a/${'b'.repeat(64)}`;
    const copy = { alias: `/o/${sha256}`, sizeBytes, sha256, attestation, fetchedAt, expiresAt };
    const { kid } = member('peer');
    const source = { kind: 'peer', kid, name: 'peer', address: '127.0.0.1', port, copy } as const;
    const fetcher = new PeerFetcher(member('asker'), keyringOf(member('asker')), () => undefined);
    await rejects(fetcher.offer(source), { code: 'E_PEER_FAILED' });
    fetcher.close();
    plain.close();
    ok(heard.length > 0);
    for (const bytes of heard) deepEqual([...bytes.subarray(0, 2)], [0x16, 0x03]);
  });
});

describe('GHSA-chwm-m7g7-685g: requests to a host that a stranger’s packet names', () => {
  it('the address in a packet is its source or the packet is refused; nobody is asked', () => {
    const { sender, receiver, keyring } = makeStage(false);
    const opener = openerFor(receiver, keyring);
    const asked: string[] = [];
    opener.onUnknown = (_kid, address) => asked.push(address);
    const claim = signed(sender.key, byeAttributes(sender, { addr: '127.0.0.1' }));
    const source = { address: '192.0.2.66', onLink: true };
    equal(outcome(opener.open(claim, source, 0, WALL_MS)), 'address');
    const kid = signed(sender.key, byeAttributes(sender, { addr: '192.0.2.66', kid: NOBODY }));
    equal(outcome(opener.open(kid, source, 0, WALL_MS)), 'unknown-kid');
    deepEqual(asked, ['192.0.2.66']);
  });
});
