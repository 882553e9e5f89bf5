/**
 * `reload`: plugins.json is changed again and again while a plugin that is not concerned calls
 * without a pause: none of its calls fails, its process stays, and a broken file changes nothing.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PluginText, pluginSource } from '../../host/rig.js';
import { atLeast, equal, type Report, type Row, type Target } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { STEADY, SteadyHost } from '../steady-plugin.js';

const ROUNDS = 8;
const LOAD_MS = 1000;
const IN_FLIGHT = 16;

export const reload: Scenario = {
  name: 'reload',
  summary: 'plugins.json changed under load: no failed request, a broken file changes nothing',
  missing: () => undefined,
  run,
};

function other(word: string): PluginText {
  const settings = { type: 'object', properties: { word: { type: 'string' } } };
  const source = pluginSource([], 'activate() {}');
  return { source, urls: [], manifest: { settings }, entry: { settings: { word } } };
}

async function run({ say = () => undefined }: ScenarioOptions): Promise<Report> {
  const host = new SteadyHost();
  const rows: Row[] = [];
  let failed = 0;
  let calls = 0;
  try {
    await host.rig.start({ steady: STEADY, other: other('first') });
    const { pid } = host.rig.status('steady');
    for (let round = 1; round <= ROUNDS; round += 1) {
      say(`round ${round} of ${ROUNDS}`);
      const load = host.measure(LOAD_MS, IN_FLIGHT);
      const change = await changeSomething(host, round);
      const measured = await load;
      failed += measured.failed;
      calls += measured.calls;
      rows.push({ round, change, calls: measured.calls, failed: measured.failed });
    }
    const broken = await breakIt(host);
    const { pid: still } = host.rig.status('steady');
    const targets: Target[] = [
      equal('failed requests of the unchanged plugin', failed, 0),
      atLeast('its requests meanwhile', calls, 1000),
      equal('its process is the same', still === pid, true),
      ...broken,
    ];
    return { scenario: 'reload', options: { rounds: ROUNDS }, rows, targets, notes: [] };
  } finally {
    await host.end();
  }
}

/** Changes, adds or takes away the plugin beside. */
async function changeSomething(host: SteadyHost, round: number): Promise<string> {
  const changes: ReadonlyArray<readonly [string, Record<string, PluginText>]> = [
    ['changed', { other: other(`round ${round}`) }],
    ['added', { other: other(`round ${round}`), more: other('x') }],
    ['taken away', { more: other('x') }],
    ['all exchanged', { other: other('again') }],
  ];
  const [what = '', plugins = {}] = changes[round % changes.length] ?? [];
  await host.beside(plugins);
  return what;
}

async function breakIt(host: SteadyHost): Promise<Target[]> {
  const before = JSON.stringify(host.rig.plugins().map(({ id, pid }) => [id, pid]));
  await writeFile(
    join(host.rig.directory, 'plugins.json'),
    '{\n "plugins": {\n  "x": { "us": 1 }\n }}',
  );
  const says = await host.rig.host.reload().then(
    () => '',
    (error: unknown) => String(error),
  );
  const after = JSON.stringify(host.rig.plugins().map(({ id, pid }) => [id, pid]));
  return [
    equal('a broken file changes nothing', before === after, true),
    equal('it says why, with the line', /plugins\.json:3: /.test(says), true),
  ];
}
