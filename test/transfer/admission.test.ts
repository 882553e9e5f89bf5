/** How many connections strangers and members may hold, and that strangers never keep members out. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { Counters } from '@peerage/core/base/bounded.js';
import { Admission } from '@peerage/core/transfer/admission.js';
import { issueIdentity } from '@peerage/core/trust/authority.js';
import { checkNodeCertificate } from '@peerage/core/trust/policy.js';
import { groupAuthority, member } from '../fakes/members.js';
import { Holder } from '../fakes/peers.js';
import { useScratch } from '../fakes/scratch.js';

const STRANGERS_PER_ADDRESS = 64;
const CONNECTIONS_PER_MEMBER = 16;

describe('connections to the object server', () => {
  const scratch = useScratch();
  let holder: Holder;
  let open: Socket[];

  beforeEach(async () => {
    holder = await Holder.start('server', '127.0.0.1', scratch());
    open = [];
  });
  afterEach(async () => {
    for (const socket of open) socket.destroy();
    await holder.close();
  });

  const bare = async (): Promise<Socket> => {
    const socket = connectPlain(holder.port, '127.0.0.1').on('error', () => undefined);
    open.push(socket);
    await once(socket, 'connect');
    return socket.resume();
  };

  const withCertificate = async (name: string | undefined): Promise<TLSSocket> => {
    const { key, certificate } = name === undefined ? {} : member(name);
    const socket = connect({
      host: '127.0.0.1',
      port: holder.port,
      key: key?.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate?.toString(),
      rejectUnauthorized: false,
    }).on('error', () => undefined);
    open.push(socket);
    await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
    return socket;
  };

  /** What comes when the holder's certificate is asked for. */
  const headOf = async (socket: TLSSocket): Promise<string> => {
    socket.write(`GET /c/${holder.identity.kid} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    socket.resume();
    return head.toString('latin1');
  };

  it('of strangers at one address only so many are kept', async () => {
    for (let i = 0; i < STRANGERS_PER_ADDRESS; i += 1) await bare();
    const late = await bare();
    if (!late.destroyed) await once(late, 'close');
    equal(holder.server.counters.get('connections-cut-of-one-address'), 1);
    equal(open.filter(({ destroyed }) => !destroyed).length, STRANGERS_PER_ADDRESS);
  });

  it('a stranger is gone within five seconds, also one that asked for what it may have', async () => {
    const silent = await bare();
    const guest = await withCertificate(undefined);
    const startedAt = performance.now();
    match(await headOf(guest), /^HTTP\/1.1 200 /);
    await Promise.all([silent, guest].map((socket) => socket.destroyed || once(socket, 'close')));
    ok(performance.now() - startedAt < 5000);
    equal(holder.server.counters.get('connections-cut-stranger-too-long'), 1);
  });

  it('one member gets only so many, another one is not its neighbour', async () => {
    for (let i = 0; i < CONNECTIONS_PER_MEMBER; i += 1) await withCertificate('pc-1');
    equal(open.filter(({ destroyed }) => destroyed).length, 0);
    const late = await withCertificate('pc-1');
    if (!late.destroyed) await once(late.resume(), 'close');
    equal(holder.server.counters.get('connections-cut-of-one-member'), 1);
    match(await headOf(await withCertificate('pc-2')), /^HTTP\/1.1 200 /);
  });
});

describe('a crowd of strangers from many addresses', () => {
  const LIMIT = 256;

  /** A connection as the admission sees it. */
  class Bare {
    destroyed = false;
    readonly remoteAddress: string;
    readonly remotePort: number;
    readonly localAddress = '192.0.2.1';
    readonly localPort = 6515;
    private readonly closing: Array<() => void> = [];

    constructor(remoteAddress: string, remotePort: number) {
      this.remoteAddress = remoteAddress;
      this.remotePort = remotePort;
    }

    once(_event: 'close', listener: () => void): void {
      this.closing.push(listener);
    }

    destroy(): void {
      this.destroyed = true;
      for (const listener of this.closing.splice(0)) listener();
    }
  }

  it('pushes out the oldest stranger, never a member', () => {
    const counters = new Counters();
    const admission = new Admission(counters);
    const guest = new Bare('192.0.2.9', 1);
    const identity = issueIdentity(groupAuthority(), 'pc-1', 30, Date.now());
    const verdict = checkNodeCertificate(identity.certificate.raw, [identity.ca], Date.now());
    ok(verdict.ok);
    admission.admit(guest as never);
    admission.identify(guest as never, verdict.node);
    const crowd = Array.from({ length: LIMIT + 3 }, (_, i) => new Bare(`198.51.100.${i % 250}`, i));
    for (const socket of crowd) admission.admit(socket as never);
    deepEqual(crowd.map(({ destroyed }) => destroyed).lastIndexOf(true), 2);
    equal(guest.destroyed, false);
    equal(admission.memberOf(guest as never)?.name, 'pc-1');
    equal(counters.get('connections-cut-strangers-in-all'), 3);
    admission.expel(({ name }) => name === 'pc-1');
    equal(guest.destroyed, true);
    for (const socket of crowd) socket.destroy();
  });
});
