/** The dashboard as a plugin of a real node, looked at in Chromium while a crowd asks at once. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrol, type Machine, startAll } from '../../demo/machines.js';
import { SlowOrigin } from '../../demo/slow-line.js';
import { useScratch } from '../../fakes/scratch.js';
import { until } from '../../lan/until.js';
import { Browser, findBrowser } from './browser.js';

const PICTURES = process.env['PEERAGE_PICTURES'] ?? join(tmpdir(), 'peerage-pictures');
const DEADLINE_MS = 60_000;

describe('the dashboard of a node in a crowd', function () {
  this.timeout(240_000);
  const scratch = useScratch();
  let machines: Machine[] = [];
  let origin: SlowOrigin;
  let browser: Browser;

  before(async function () {
    const program = findBrowser();
    if (program === undefined) {
      process.stdout.write('    skipped: needs chromium\n');
      return this.skip();
    }
    origin = await SlowOrigin.start(16_000_000, 2_000_000);
    const root = scratch('lan');
    await mkdir(root);
    const use = '@peerage/dashboard';
    const dashboard = { use, grant: { status: true }, settings: { port: 0 } };
    machines = await startAll(await enrol(root, 3), { dashboard });
    browser = await Browser.start(program, scratch('profile'));
  });
  after(async () => {
    await browser?.close();
    await Promise.all(machines.map(({ node }) => node.stop()));
    await origin?.close();
  });

  it('shows the download as it moves, and afterwards why', async () => {
    const anna = machines[0]?.node;
    assert.ok(anna !== undefined);
    const { url } = await anna.until('listening');
    await browser.open(String(url));
    const seen = (what: string, expression: string) =>
      until(what, DEADLINE_MS, async () =>
        (await browser.evaluate<boolean>(expression)) ? true : undefined,
      );
    await seen('live', `document.getElementById('connection')?.textContent === 'live'`);
    await seen('two nodes', `document.querySelectorAll('#nodes tbody tr').length === 2`);
    const words = ['get', origin.url, '--sha256', origin.sha256, '-o'];
    const got = machines.map(({ node }, i) => node.run(...words, scratch(`out${i}`)));
    const bar = `(document.querySelector('#flights progress')?.value ?? 0)`;
    await seen('a quarter', `${bar} > 4000000`);
    await browser.picture(join(PICTURES, 'crowd.png'));
    const before = await browser.evaluate<number>(bar);
    await seen('more', `${bar} > ${before}`);
    for (const { code, stderr } of await Promise.all(got)) assert.equal(code, 0, stderr);
    await seen('the end', `document.getElementById('flights').textContent === 'none just now'`);
    await browser.evaluate(`document.querySelector('#requests button').click()`);
    const text = await browser.evaluate<string>(`document.getElementById('why-text').textContent`);
    assert.match(text, /who signed for SHA-256 [0-9a-f]{64}/);
    await browser.picture(join(PICTURES, 'why.png'));
  });
});
