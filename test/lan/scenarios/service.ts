/**
 * `service`: the node as a systemd service, with a real systemd in namespaces of its own.
 *
 * `peerage service install --sockets` makes the user, enables and starts it; it runs without rights,
 * is restarted when it is killed, and while it is restarted no client is refused. A stop takes
 * seconds; `uninstall` leaves the state.
 */
import { fileURLToPath } from 'node:url';
import { succeeded } from '../command.js';
import { PROGRAM } from '../node.js';
import { missingSystemd, PrivateSystemd } from '../private-systemd.js';
import { atLeast, atMost, equal, type Report, rounded } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { missingTools } from '../tools.js';
import { until } from '../until.js';
import { Workspace } from '../workspace.js';

const URL = 'http://127.0.0.1:6516/proxy.pac';
const DEADLINE_MS = 60_000;
const RESTARTS = 3;
/** Of 10, by systemd-analyze security. */
const EXPOSURE_MAX = 2;
const STOP_SECONDS_MAX = 5;
/** systemd waits 2 s, then the node starts; with room for a busy machine. */
const BACK_SECONDS_MAX = 20;
/** The unit hides these from the service. */
const HIDDEN = /^\/(home|root|run\/user|tmp|var\/tmp)\//;

/** Asks until a file says that it is enough; prints a letter for each answer. */
const CLIENT = `while [ ! -e /run/enough ]; do
  if curl -sS --max-time 20 -o /dev/null --fail ${URL}; then echo y; else echo n; fi
done`;

export const service: Scenario = {
  name: 'service',
  summary: 'installed in a real systemd of its own: restarts refuse nobody, a kill is mended',
  missing: () => {
    const path = fileURLToPath(new globalThis.URL(import.meta.url));
    const hidden = [path, process.execPath].find((one) => HIDDEN.test(one));
    if (hidden !== undefined) return `skipped: a service cannot reach ${hidden}`;
    return missingSystemd() ?? missingTools(['curl']);
  },
  run,
};

async function run({ say = () => undefined }: ScenarioOptions): Promise<Report> {
  const workspace = new Workspace();
  let systemd: PrivateSystemd | undefined;
  try {
    say('a systemd in namespaces of its own');
    systemd = await PrivateSystemd.boot(workspace.directory);
    say('peerage service install --sockets');
    const installed = (await peerage(systemd, 'service', 'install', '--sockets')) as Installed;
    await active(systemd, '');
    const user = await shown(systemd, 'User');
    const first = await shown(systemd, 'MainPID');
    const rights = await rightsOf(systemd, first);
    say(`${RESTARTS} restarts under load, then a kill`);
    const client = systemd.spawn('sh', ['-c', CLIENT]);
    for (let restart = 0; restart < RESTARTS; restart += 1)
      succeeded('restart', await systemd.run('systemctl', ['restart', 'peerage']));
    await systemd.run('touch', ['/run/enough']);
    const answers = (await client.within(DEADLINE_MS)).stdout.split('\n').filter(Boolean);
    const backSeconds = await killed(systemd);
    say('a stop, and uninstall');
    const stopSeconds = await stopped(systemd);
    await peerage(systemd, 'service', 'uninstall');
    const left = await systemd.run('sh', [
      '-c',
      'ls /etc/systemd/system/peerage* 2>/dev/null; ls /var/lib/peerage/solo.pem',
    ]);
    return {
      scenario: 'service',
      options: { restarts: RESTARTS },
      rows: [{ user, exposure: installed.exposure ?? '', requests: answers.length }],
      targets: [
        equal('systemd-analyze verify finds it in order', installed.valid ?? false, true),
        atMost(
          'exposure by systemd-analyze security, of 10',
          installed.exposure ?? 10,
          EXPOSURE_MAX,
        ),
        equal('the user that it runs as', user, 'peerage'),
        equal('rights of its process', rights, '0000000000000000'),
        equal('requests refused or failed', answers.filter((one) => one !== 'y').length, 0),
        atLeast('requests answered', answers.length, RESTARTS),
        atMost('seconds until it was back after kill -9', backSeconds, BACK_SECONDS_MAX),
        atMost('seconds that a stop took', stopSeconds, STOP_SECONDS_MAX),
        equal('left after uninstall', left.stdout.trim(), '/var/lib/peerage/solo.pem'),
      ],
      notes: [],
    };
  } finally {
    await systemd?.stop();
    workspace.dispose();
  }
}

interface Installed {
  readonly valid?: boolean;
  readonly exposure?: number;
}

async function peerage(systemd: PrivateSystemd, ...words: string[]): Promise<unknown> {
  const done = await systemd.run(process.execPath, [PROGRAM, ...words, '--json']);
  return JSON.parse(succeeded(`peerage ${words.join(' ')}`, done).stdout) as unknown;
}

async function shown(systemd: PrivateSystemd, property: string): Promise<string> {
  const args = ['show', 'peerage.service', '--value', '-p', property];
  return (await systemd.run('systemctl', args)).stdout.trim();
}

/** Waits until it is active, in another process than before. */
async function active(systemd: PrivateSystemd, before: string): Promise<void> {
  await until('the service is active', DEADLINE_MS, async () => {
    const [state, pid] = [await shown(systemd, 'ActiveState'), await shown(systemd, 'MainPID')];
    return state === 'active' && pid !== before && pid !== '0' ? true : undefined;
  });
}

/** What its process may do beyond its user. */
async function rightsOf(systemd: PrivateSystemd, pid: string): Promise<string> {
  const { stdout } = await systemd.run('cat', [`/proc/${pid}/status`]);
  return /^CapEff:\s*([0-9a-f]+)$/m.exec(stdout)?.[1] ?? '';
}

async function killed(systemd: PrivateSystemd): Promise<number> {
  const pid = await shown(systemd, 'MainPID');
  const at = performance.now();
  succeeded('kill', await systemd.run('kill', ['-9', pid]));
  await active(systemd, pid);
  return rounded((performance.now() - at) / 1000);
}

async function stopped(systemd: PrivateSystemd): Promise<number> {
  const at = performance.now();
  const units = ['peerage.socket', 'peerage.service'];
  succeeded('stop', await systemd.run('systemctl', ['stop', ...units]));
  return rounded((performance.now() - at) / 1000);
}
