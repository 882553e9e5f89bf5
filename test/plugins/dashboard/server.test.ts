/** The dashboard's server: who may look, what is refused, and how much is kept. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { Feed } from '@peerage/dashboard/feed.js';
import { History, SAMPLES_MAX } from '@peerage/dashboard/history.js';
import { DashboardServer } from '@peerage/dashboard/server.js';
import { Sessions } from '@peerage/dashboard/session.js';
import { demandPassword } from '@peerage/dashboard/settings.js';
import { ScriptedStatus } from './scripted-status.js';

const PASSWORD = 'correct horse battery';

describe('the server of the dashboard', () => {
  let server: DashboardServer;
  let now = 0;
  const open = async (password: string) => {
    const feed = new Feed(
      async () => ({}),
      () => undefined,
    );
    const sessions = new Sessions(password, () => now);
    const parts = { status: new ScriptedStatus(), sessions, feed };
    server = await DashboardServer.open(parts, '127.0.0.1', 0);
  };
  afterEach(() => server.dispose());
  const base = () => `http://127.0.0.1:${server.port}`;
  const login = (password: string) =>
    fetch(`${base()}/login`, {
      method: 'POST',
      body: new URLSearchParams({ password }),
      redirect: 'manual',
    });

  it('shows the page, the library, the store; nothing else, and only looks', async () => {
    await open('');
    for (const path of ['/', '/page.js', '/uplot.js', '/style.css', '/cache', '/why?url=x']) {
      const { status, headers } = await fetch(base() + path);
      assert.equal(status, 200, path);
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'self'/);
    }
    for (const path of ['/package.json', '/../package.json', '/%2e%2e/plugin.js', '/constructor']) {
      assert.equal((await fetch(base() + path)).status, 404, path);
    }
    assert.equal((await fetch(`${base()}/cache`, { method: 'DELETE' })).status, 405);
  });

  it('refuses a foreign name that leads to it', async () => {
    await open('');
    const options = { port: server.port, headers: { host: 'evil.example' } };
    const outgoing = request({ host: '127.0.0.1', ...options }).end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    response.resume();
    assert.equal(response.statusCode, 421);
  });

  it('asks for the password where there is one, and gives few guesses', async () => {
    await open(PASSWORD);
    assert.match(await (await fetch(base())).text(), /type="password"/);
    for (const path of ['/cache', '/events', '/page.js']) {
      assert.equal((await fetch(base() + path)).status, 401, path);
    }
    const right = await login(PASSWORD);
    assert.equal(right.status, 303);
    const cookie = right.headers.get('set-cookie') ?? '';
    assert.match(cookie, /HttpOnly; SameSite=Strict/);
    const [token = ''] = cookie.split(';');
    assert.equal((await fetch(`${base()}/cache`, { headers: { cookie: token } })).status, 200);
    for (let i = 0; i < 5; i += 1) assert.equal((await login('guess')).status, 403);
    assert.equal((await login(PASSWORD)).status, 429);
    now += 60_000;
    assert.equal((await login('x'.repeat(5000))).status, 403);
    assert.equal((await login(PASSWORD)).status, 303);
    now += 13 * 3_600_000;
    assert.equal((await fetch(`${base()}/cache`, { headers: { cookie: token } })).status, 401);
  });
});

describe('the sessions of the dashboard', () => {
  it('are not refused because somebody elsewhere guesses, unless very many do', () => {
    const sessions = new Sessions(PASSWORD, () => 0);
    for (let i = 0; i < 10; i += 1) sessions.open('guess', '10.0.0.66');
    assert.equal(sessions.open(PASSWORD, '10.0.0.66'), 'later');
    assert.equal(typeof sessions.open(PASSWORD, '10.0.0.5'), 'object');
    for (let i = 0; i < 300; i += 1) sessions.open('guess', `10.1.${i >> 8}.${i & 255}`);
    assert.equal(sessions.open(PASSWORD, '10.0.0.5'), 'later');
  });
});

describe('the settings of the dashboard', () => {
  it('want a password beyond this machine', () => {
    const settings = (address: string, password: string) => ({ address, port: 1, password });
    demandPassword(settings('127.0.0.1', ''));
    demandPassword(settings('0.0.0.0', PASSWORD));
    for (const [address, password] of [
      ['0.0.0.0', ''],
      ['10.0.0.1', 'short'],
    ] as const) {
      assert.throws(() => demandPassword(settings(address, password)), {
        code: 'E_DASHBOARD_PASSWORD',
      });
    }
  });
});

describe('the history of savings', () => {
  it('never goes back over a restart, and keeps a day', () => {
    const first = new History(undefined);
    first.add(60_000, { internetBytes: 10, lanBytes: 100 });
    const second = new History(first.keep());
    assert.deepEqual(
      second.with(120_000, { internetBytes: 1, lanBytes: 2 }).at(-1),
      [120, 11, 102],
    );
    for (let i = 0; i < SAMPLES_MAX + 5; i += 1) second.add(i, { internetBytes: 0, lanBytes: 0 });
    assert.equal(second.keep().length, SAMPLES_MAX);
    for (const broken of ['x', [[1, 2]], [[1, 2, 'x']], null]) {
      assert.deepEqual(new History(broken).keep(), []);
    }
  });
});
