/**
 * Sockets that a service manager keeps open (sd_listen_fds(3)): while the node is restarted clients
 * wait, and none is refused. A small program stands for systemd's part: it opens the port, starts
 * the node, and starts it again whenever it ended.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { handedSockets } from '@peerage/core/service/activation.js';
import { contentOf } from '../fakes/content.js';
import { LoopbackOrigin } from '../fakes/origin.js';
import { freePort } from '../fakes/ports.js';
import { useScratch } from '../fakes/scratch.js';
import { missingTools } from '../lan/tools.js';
import { PROGRAM } from './program.js';

const ADDRESS = '127.0.0.1';
const RESTARTS = 2;

/** Opens the port, runs the program with it as descriptor 3, and again when it ended. */
const HOLDER = `
import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen(512)
print('{"event":"open"}', flush=True)
for run in range(int(sys.argv[3])):
    pid = os.fork()
    if pid == 0:
        if s.fileno() != 3: os.dup2(s.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ['LISTEN_PID'] = str(os.getpid())
        os.environ['LISTEN_FDS'] = '1'
        os.environ['LISTEN_FDNAMES'] = 'url-cache'
        os.execvp(sys.argv[4], sys.argv[4:])
    os.waitpid(pid, 0)
`;

describe('a node whose client port a service manager keeps open', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  let origin: LoopbackOrigin;
  let holder: ChildProcess | undefined;
  before(function () {
    if (process.platform !== 'linux' || missingTools(['python3']) !== undefined) this.skip();
  });
  beforeEach(async () => {
    origin = await LoopbackOrigin.start();
  });
  afterEach(async () => {
    holder?.kill('SIGKILL');
    await origin.close();
  });

  it('is restarted without a refused or failed request', async () => {
    const directory = scratch('n');
    const port = await freePort(ADDRESS);
    await mkdir(directory, { recursive: true });
    const listen = { address: ADDRESS, port };
    const urlCache = { use: '@peerage/url-cache', enabled: true, settings: { listen } };
    const core = { originAllow: ['127.0.0.0/8'] };
    const text = JSON.stringify({ core, plugins: { 'url-cache': urlCache } });
    await writeFile(join(directory, 'plugins.json'), text);
    const content = contentOf('kept', 1000);
    origin.serve('/a', { content, headers: { 'cache-control': 'max-age=600' } });
    const times = String(RESTARTS + 1);
    const command = [process.execPath, PROGRAM, 'start', '--state', directory];
    const child = spawn('python3', ['-c', HOLDER, ADDRESS, String(port), times, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    holder = child;
    const ready = readies(child);
    await ready.open;
    // Before the node listens: this one waits.
    const first = await get(port, origin.url('/a'));
    assert.ok(first.equals(content));
    let [running, answered] = [true, 0];
    const client = (async () => {
      while (running) {
        assert.ok((await get(port, origin.url('/a'))).equals(content));
        answered += 1;
      }
    })();
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      const pid = await ready.next();
      const before = answered;
      process.kill(pid, 'SIGTERM');
      const again = await ready.peek();
      assert.notEqual(again, pid);
      await get(port, origin.url('/a'));
      assert.ok(answered >= before);
    }
    running = false;
    await client;
    assert.ok(answered > RESTARTS);
    process.kill(await ready.next(), 'SIGTERM');
    await once(child, 'exit');
  });
});

describe('what a service manager hands over', () => {
  it('is for the process that it names, and no other', () => {
    assert.deepEqual(handedSockets({ LISTEN_FDS: '1', LISTEN_PID: '1' }), []);
    assert.deepEqual(handedSockets({}), []);
    const own = String(process.pid);
    assert.deepEqual(handedSockets({ LISTEN_FDS: 'x', LISTEN_PID: own }), []);
    assert.deepEqual(handedSockets({ LISTEN_FDS: '-3', LISTEN_PID: own }), []);
  });
});

/** The process ids of the nodes that said they are ready, one after the other. */
function readies(child: ChildProcess) {
  const found: number[] = [];
  const waiting: Array<() => void> = [];
  let opened: () => void = () => undefined;
  const open = new Promise<void>((resolve) => {
    opened = resolve;
  });
  if (child.stdout === null) throw new Error('the holder has no output');
  createInterface({ input: child.stdout }).on('line', (text) => {
    const { event, pid } = JSON.parse(text) as { event: string; pid?: number };
    if (event === 'open') opened();
    if (event !== 'ready') return;
    found.push(Number(pid));
    for (const wake of waiting.splice(0)) wake();
  });
  const peek = async (): Promise<number> => {
    for (;;) {
      const [first] = found;
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  const next = async () => {
    const pid = await peek();
    found.shift();
    return pid;
  };
  return { open, next, peek };
}

/** Through the proxy on that port, on a connection of its own. */
function get(port: number, url: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { host: ADDRESS, port, path: url, headers: { host: new URL(url).host } };
    request({ ...options, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(chunks)));
    })
      .on('error', reject)
      .end();
  });
}
