/** The page in a real Chromium, on a scripted node: it moves, explains itself, and trusts no text. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Feed } from '@peerage/dashboard/feed.js';
import { History } from '@peerage/dashboard/history.js';
import { DashboardServer } from '@peerage/dashboard/server.js';
import { Sessions } from '@peerage/dashboard/session.js';
import { snapshot, totalsOf } from '@peerage/dashboard/snapshot.js';
import { useScratch } from '../../fakes/scratch.js';
import { until } from '../../lan/until.js';
import { Browser, findBrowser } from './browser.js';
import { ScriptedStatus } from './scripted-status.js';

const PICTURES = process.env['PEERAGE_PICTURES'] ?? join(tmpdir(), 'peerage-pictures');
const DAY_SAMPLES = 60;
const DEADLINE_MS = 30_000;

/** An office hour in which the line carries a little and the LAN the rest. */
function officeHour(): History {
  const start = Date.now() / 1000 - DAY_SAMPLES * 60;
  const samples = Array.from({ length: DAY_SAMPLES }, (_, minute) => {
    const bursts = Math.floor(minute / 12);
    return [
      Math.round(start + minute * 60),
      2e7 * bursts + 1e5 * minute,
      3e8 * bursts + 4e6 * minute,
    ];
  });
  return new History(samples);
}

describe('the dashboard in Chromium', function () {
  this.timeout(120_000);
  const scratch = useScratch();
  const status = new ScriptedStatus();
  let server: DashboardServer;
  let browser: Browser;

  before(async function () {
    const program = findBrowser();
    if (program === undefined) {
      process.stdout.write('    skipped: needs chromium\n');
      return this.skip();
    }
    const history = officeHour();
    const make = async () => {
      const shown = await snapshot(status, Date.now());
      return { ...shown, history: history.with(Date.now(), totalsOf(shown.status)) };
    };
    const fail = (error: unknown) => assert.fail(String(error));
    const parts = { status, sessions: new Sessions('', Date.now), feed: new Feed(make, fail) };
    server = await DashboardServer.open(parts, '127.0.0.1', 0);
    browser = await Browser.start(program, scratch('profile'));
    await browser.open(`http://127.0.0.1:${server.port}/`);
  });
  after(async () => {
    await browser?.close();
    await server?.dispose();
  });

  const seen = (what: string, expression: string) =>
    until(what, DEADLINE_MS, async () =>
      (await browser.evaluate<boolean>(expression)) ? true : undefined,
    );
  const text = (id: string) => `document.getElementById('${id}')?.textContent ?? ''`;

  it('goes live and shows node, savings, nodes, plugins', async () => {
    await seen('live', `(${text('connection')}) === 'live'`);
    await seen('the node', `(${text('node')}).includes('desk, group office')`);
    await seen('the plot', `document.querySelector('#plot canvas') !== null`);
    await seen('nodes', `document.querySelectorAll('#nodes tbody tr').length === 2`);
    await seen('plugins', `(${text('plugins')}).includes('url-cache')`);
  });

  it('moves the progress of a download, and keeps a URL from being markup', async () => {
    const bar = `document.querySelector('#flights progress')?.value`;
    await seen('a bar', `${bar} === 0`);
    status.receivedBytes = 60;
    await seen('progress', `${bar} === 60`);
    await seen('the text', `(${text('flights')}).includes('<img src=x')`);
    assert.equal(await browser.evaluate(`document.querySelectorAll('#flights img').length`), 0);
  });

  it('shows another provider as soon as there is one', async () => {
    await seen('anna', `(${text('elections')}).includes('anna')`);
    status.provider = 'cleo';
    await seen('cleo', `(${text('elections')}).includes('cleo')`);
    await seen('the log', `(${text('changes')}).includes('cleo (the best score)')`);
  });

  it('opens the record of why, and the store with who fetched what', async () => {
    await browser.evaluate(`document.querySelector('#requests button').click()`);
    await seen('a dialog', `document.getElementById('why').open`);
    await seen('who answered', `(${text('why-text')}).includes('has it, after 1.5 ms')`);
    await seen('who signed', `(${text('why-text')}).includes('by anna')`);
    await browser.evaluate(`document.getElementById('why').close()`);
    await browser.evaluate(`document.getElementById('cache-load').click()`);
    await seen('the store', `(${text('cache')}).includes('http://a.example/kept')`);
  });

  it('is named and labelled for those who do not see it, and has two faces', async () => {
    const unnamed = await browser.evaluate<number>(
      `[...document.querySelectorAll('button, progress, section, dialog')].filter((one) =>
        !(one.textContent.trim() || one.ariaLabel || one.getAttribute('aria-labelledby'))).length`,
    );
    assert.equal(unnamed, 0);
    assert.equal(await browser.evaluate(`document.documentElement.lang`), 'en');
    const ground = `getComputedStyle(document.body).backgroundColor`;
    await browser.prefer('light');
    const light = await browser.evaluate<string>(ground);
    await browser.picture(join(PICTURES, 'hour-light.png'));
    await browser.prefer('dark');
    const dark = await browser.evaluate<string>(ground);
    const picture = await browser.picture(join(PICTURES, 'hour-dark.png'));
    assert.notEqual(light, dark);
    assert.ok(picture.length > 10_000);
  });
});
