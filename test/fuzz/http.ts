/**
 * `http`: mutants of HTTP requests at every front that listens: the object server (as a stranger and
 * as a member), a node's local sockets, and the URL cache's proxy and mirror. All are real and run in
 * this process, so that whatever nobody catches is seen.
 *
 * What is a fault: an error that nobody caught; an answer that no HTTP client could read; a
 * connection that is neither answered nor closed; a stranger who gets anything but a certificate; a
 * change through the socket that is for looking; a URL asked for that is none.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { SeededRandom } from '@peerage/core/base/random.js';
import { type RunningNode, startNode } from '@peerage/core/composition.js';
import { parseConfiguration } from '@peerage/core/ports/configuration.js';
import { contentOf, sha256Of } from '../fakes/content.js';
import { RecordingLogger } from '../fakes/log.js';
import { member } from '../fakes/members.js';
import { Holder } from '../fakes/peers.js';
import { Rig } from '../plugins/url-cache/rig.js';
import { mutate, pick } from './mutate.js';
import { count, newReport, note, type Report } from './report.js';

/** Requests under way at a time. */
const LANES = 64;
/** A connection that is quiet for this long after the client said that it was all is a fault. */
const QUIET_MS = 20_000;
const WORDS = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  ' HTTP/1.1',
  ' HTTP/0.9',
  'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
  'content-length: 5\r\n',
  'content-length: -1\r\n',
  'content-length: 99999999999999999999\r\n',
  'transfer-encoding: chunked\r\n',
  'transfer-encoding: chunked, identity\r\n',
  'expect: 100-continue\r\n',
  'upgrade: websocket\r\nconnection: upgrade\r\n',
  'range: bytes=0-\r\n',
  'range: bytes=5-2\r\n',
  'range: bytes=99999999999999999-\r\n',
  'host: \r\n',
  'host: a@b:99999\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  '%00',
  '%2e%2e%2f',
  '/../',
  '?url=',
  '&url=file:///etc/passwd',
  'CONNECT a:443 HTTP/1.1\r\n\r\n',
].map((word) => Buffer.from(word));

/** One front: how to reach it, what is said to it at best, and what of its answers is a fault. */
interface Front {
  readonly name: string;
  readonly corpus: readonly Buffer[];
  connect(): Socket;
  /** What is wrong with an answer that could be read, if anything is. */
  judge(status: number, answer: Buffer): string | undefined;
}

const head = (line: string, ...fields: string[]) =>
  Buffer.from(`${[line, 'host: 127.0.0.1', ...fields].join('\r\n')}\r\n\r\n`);

interface Ground {
  readonly fronts: readonly Front[];
  close(): Promise<void>;
}

async function objectServer(directory: string): Promise<{ fronts: Front[]; holder: Holder }> {
  const holder = await Holder.start('fuzzed', '127.0.0.1', join(directory, 'store'));
  const content = contentOf('fuzz', 300_000);
  const { id } = await holder.hold('https://origin.example/a', content);
  const sha256 = sha256Of(content);
  const { kid, certificate } = holder.identity;
  const corpus = [
    head(`GET /o/${sha256} HTTP/1.1`, 'range: bytes=10-20'),
    head(`HEAD /o/${sha256} HTTP/1.1`),
    head(`GET /p/${sha256} HTTP/1.1`),
    head(`GET /a/${id} HTTP/1.1`),
    head(`GET /f/${sha256} HTTP/1.1`, 'peerage-from: 3', `peerage-relay: /f/${sha256}`),
    head('GET /g/policy HTTP/1.1'),
    head(`GET /c/${kid} HTTP/1.1`),
    Buffer.concat([head('POST /j/enrol HTTP/1.1', 'content-length: 2'), Buffer.from('{}')]),
  ];
  const { key, certificate: own } = member('fuzzer');
  const place = { host: '127.0.0.1', port: holder.port, rejectUnauthorized: false };
  const credentials = { key: key.export({ type: 'pkcs8', format: 'pem' }), cert: `${own}` };
  const stranger: Front = {
    name: 'object server, a stranger',
    corpus,
    connect: () => connectTls(place),
    judge: (status, answer) => {
      const opened = status >= 200 && status < 300 && !answer.includes(certificate.raw);
      return opened ? `a stranger got ${status}` : undefined;
    },
  };
  const asMember: Front = {
    name: 'object server, a member',
    corpus,
    connect: () => connectTls({ ...place, ...credentials }),
    judge: () => undefined,
  };
  return { fronts: [stranger, asMember], holder };
}

async function localSockets(directory: string): Promise<{ fronts: Front[]; node: RunningNode }> {
  const stateDirectory = join(directory, 'n');
  const configuration = parseConfiguration('{"core":{"internet":false},"plugins":{}}', 'fuzz');
  const node = await startNode({ stateDirectory, configuration, logger: new RecordingLogger() });
  const corpus = [
    head('GET /status HTTP/1.1'),
    head('GET /cache HTTP/1.1'),
    head('GET /metrics HTTP/1.1'),
    head('GET /get?url=http%3A%2F%2Fo.example%2Fa&sha256=00 HTTP/1.1'),
    head('POST /cache/purge?url=http%3A%2F%2Fo.example%2Fa HTTP/1.1', 'content-length: 0'),
    head('GET /why?url=http%3A%2F%2Fo.example%2Fa HTTP/1.1'),
  ];
  const front = (socket: string, mayChange: boolean): Front => ({
    name: socket,
    corpus,
    connect: () => connectPlain(join(stateDirectory, socket)),
    judge: (status, answer) => {
      const changed = !mayChange && status === 200 && /^\{"entries"/m.test(answer.toString());
      return changed ? 'the socket for looking changed something' : undefined;
    },
  });
  return { fronts: [front('control.sock', true), front('status.sock', false)], node };
}

async function urlCache(): Promise<{ fronts: Front[]; rig: Rig }> {
  const rig = await Rig.start({ mirrors: [{ port: 0, upstream: 'https://registry.test/' }] });
  rig.peering.put('http://o.example/a', { body: 'abc', headers: { etag: '"x"' } });
  rig.peering.put('https://registry.test/a', { body: 'abc' });
  const proxied = [
    head('GET http://o.example/a HTTP/1.1', 'range: bytes=0-1', 'if-none-match: "x"'),
    head('HEAD http://o.example/a HTTP/1.1'),
    head('CONNECT o.example:443 HTTP/1.1'),
    Buffer.concat([
      head('POST http://o.example/a HTTP/1.1', 'content-length: 1'),
      Buffer.from('x'),
    ]),
    head('GET /proxy.pac HTTP/1.1'),
  ];
  const mirrored = [head('GET /a HTTP/1.1'), head('GET /a HTTP/1.1', 'accept-encoding: gzip')];
  const judge = () => {
    const wrong = rig.peering.requests.splice(0).find(({ url }) => !isPlainUrl(url));
    return wrong === undefined ? undefined : `it asked for ${wrong.url}`;
  };
  const front = (name: string, port: number, corpus: readonly Buffer[]): Front => {
    return { name, corpus, judge, connect: () => connectPlain(port, '127.0.0.1') };
  };
  const fronts = [front('proxy', rig.port(), proxied), front('mirror', rig.port(0), mirrored)];
  return { fronts, rig };
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + hash === '';
}

async function prepare(): Promise<Ground> {
  const directory = mkdtempSync(join(tmpdir(), 'peerage-fuzz-'));
  const objects = await objectServer(directory);
  const local = await localSockets(directory);
  const cache = await urlCache();
  return {
    fronts: [...objects.fronts, ...local.fronts, ...cache.fronts],
    close: async () => {
      await cache.rig.stop();
      await local.node.stop();
      await objects.holder.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function mutant(corpus: readonly Buffer[], random: SeededRandom): Buffer {
  const bytes = random.fraction() < 0.6 ? mutate(corpus, random) : pick(corpus, random);
  if (random.fraction() < 0.4) return bytes;
  const at = random.uint32() % (bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), pick(WORDS, random), bytes.subarray(at)]);
}

/** All that comes back until the connection is closed; `undefined` if it never is. */
function exchange(front: Front, input: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = front.connect();
    const parts: Buffer[] = [];
    const quiet = AbortSignal.timeout(QUIET_MS);
    const giveUp = () => {
      socket.destroy();
      resolve(undefined);
    };
    quiet.addEventListener('abort', giveUp);
    socket.on('data', (chunk: Buffer) => parts.push(chunk)).on('error', () => socket.destroy());
    socket.once('close', () => {
      quiet.removeEventListener('abort', giveUp);
      resolve(Buffer.concat(parts));
    });
    socket.end(input);
  });
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [^\r\n]*\r\n/;

/** Fuzzes for as long as `more` says so. */
export async function fuzzHttp(seed: number, more: () => boolean): Promise<Report> {
  const report = newReport('http', seed);
  const uncaught = (error: unknown) => note(report, 'throws', Buffer.alloc(0), String(error));
  process.on('uncaughtException', uncaught).on('unhandledRejection', uncaught);
  const ground = await prepare();
  const lane = async (number: number) => {
    const random = new SeededRandom(seed * LANES + number);
    while (more()) {
      const front = pick(ground.fronts, random);
      const input = mutant(front.corpus, random);
      const answer = await exchange(front, input);
      report.inputs += 1;
      const status = Number(
        STATUS_LINE.exec(answer?.subarray(0, 200).toString('latin1') ?? '')?.[1],
      );
      const short = front.name.replace(/,? (a|an) /, ' ');
      count(report, `${short}: ${answer?.length === 0 ? 'closed' : status}`);
      if (answer === undefined) note(report, 'disagreements', input, `${front.name} hangs`);
      else if (answer.length > 0 && !(status > 0)) {
        note(report, 'disagreements', input, `${front.name}: no HTTP came back`);
      }
      const wrong = status > 0 && answer !== undefined ? front.judge(status, answer) : undefined;
      if (wrong !== undefined) note(report, 'accepted', input, wrong);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
  await ground.close();
  process.off('uncaughtException', uncaught).off('unhandledRejection', uncaught);
  return report;
}
