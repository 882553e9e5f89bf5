/**
 * `doctor`: ten faults made on purpose, one after another, on hosts of a group; `peerage doctor`
 * has to find each and name a remedy, and to find nothing bad where nothing is.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '@peerage/core/doctor/finding.js';
import { succeeded } from '../command.js';
import { Group } from '../group.js';
import type { Host } from '../host.js';
import { Lan } from '../lan.js';
import { type PeerageNode, PROGRAM } from '../node.js';
import { missingForOrigin } from '../origin-service.js';
import { equal, type Report, type Row } from '../report.js';
import type { Scenario, ScenarioOptions } from '../scenario.js';
import { missingTools } from '../tools.js';
import { until } from '../until.js';

const LINE_RATE_KBIT = 100_000;
const DEADLINE_MS = 60_000;

/** A program's environment with another wall clock; time passes as it does. */
function atAnotherTime(offset: string): Record<string, string> {
  const library = '/usr/$LIB/faketime/libfaketime.so.1';
  return { LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

export const doctor: Scenario = {
  name: 'doctor',
  summary: 'ten faults made on purpose: each is found and its remedy named',
  missing: () => missingForOrigin() ?? missingTools(['nft', 'faketime']),
  run,
};

interface Diagnosis {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

interface Stage {
  readonly group: Group;
  readonly host: Host;
  readonly node: PeerageNode;
  readonly third: Host;
}

interface Fault {
  readonly name: string;
  /** The finding that it must lead to. */
  readonly check: string;
  readonly level: Finding['level'];
  /** Makes the fault, diagnoses, and takes the fault away. */
  readonly diagnose: (stage: Stage) => Promise<Diagnosis>;
}

async function run(options: ScenarioOptions): Promise<Report> {
  const say = options.say ?? (() => undefined);
  const lan = Lan.create({ hosts: 3, internetRateKbit: LINE_RATE_KBIT });
  const group = Group.on(lan.hosts, () => ({}));
  try {
    await group.start();
    const stage = { group, host: lan.host(2), node: group.node(2), third: lan.host(3) };
    say('nothing is wrong');
    const sound = await diagnose(stage.node);
    const falseAlarms = sound.findings.filter(({ level }) => level === 'bad');
    const rows: Row[] = [];
    for (const fault of FAULTS) {
      say(fault.name);
      const { findings } = await fault.diagnose(stage);
      rows.push(judge(fault, findings));
    }
    const found = rows.filter((row) => row['found'] === true && row['remedy'] !== '').length;
    const targets = [
      equal('false alarms where nothing is wrong', falseAlarms.length, 0),
      equal('faults found, with a remedy', found, FAULTS.length),
    ];
    const notes = falseAlarms.map(({ check, found: what }) => `false alarm: ${check}: ${what}`);
    return { scenario: 'doctor', options: { hosts: 3 }, rows, targets, notes };
  } finally {
    group.saveLogs(options.logsDirectory);
    await group.stop();
    lan.dispose();
  }
}

function judge({ name, check, level }: Fault, findings: readonly Finding[]): Row {
  const fits = findings.find((finding) => finding.check === check && finding.level === level);
  return { fault: name, check, found: fits !== undefined, remedy: fits?.remedy ?? '' };
}

async function diagnose(node: PeerageNode, ...more: string[]): Promise<Diagnosis> {
  const { stdout } = await node.command('doctor', '--json', ...more);
  return JSON.parse(stdout) as Diagnosis;
}

/** Makes a fault by one shell line on the host, diagnoses, and undoes it by another. */
function byShell(make: string, undo: string): Fault['diagnose'] {
  return async ({ host, node }) => {
    succeeded(make, await host.run('sh', ['-c', make]));
    try {
      return await diagnose(node);
    } finally {
      succeeded(undo, await host.run('sh', ['-c', undo]));
    }
  };
}

const DROP = `nft add table inet fault
nft add chain inet fault input '{ type filter hook input priority 0; }'
nft add rule inet fault input udp dport 1967 drop`;

const MASK = `ip address flush dev eth0
ip address add 10.77.0.12/29 broadcast 10.77.0.15 dev eth0
ip route replace default via 10.77.0.1 dev eth0 onlink`;

const MASK_BACK = `ip address flush dev eth0
ip address add 10.77.0.12/24 broadcast 10.77.0.255 dev eth0
ip route replace default via 10.77.0.1`;

const FAULTS: readonly Fault[] = [
  {
    name: 'UDP 1967 blocked by nft',
    check: 'broadcast',
    level: 'bad',
    diagnose: byShell(DROP, 'nft delete table inet fault'),
  },
  { name: 'wrong netmask', check: 'netmask', level: 'bad', diagnose: byShell(MASK, MASK_BACK) },
  { name: 'clock off by an hour', check: 'clock', level: 'bad', diagnose: wrongClock },
  { name: 'certificate expired', check: 'certificate', level: 'bad', diagnose: expired },
  { name: 'disk full', check: 'disk', level: 'bad', diagnose: fullDisk },
  {
    name: 'second interface without DHCP',
    check: 'interface-dhcp',
    level: 'warn',
    diagnose: byShell(
      'ip link add eth1 type veth peer name eth2; ip link set eth2 up; ip link set eth1 up; ip address add 169.254.7.7/16 dev eth1',
      'ip link delete eth1',
    ),
  },
  {
    name: 'bridge of containers',
    check: 'bridges',
    level: 'warn',
    diagnose: byShell(
      'ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0',
      'ip link delete docker0',
    ),
  },
  { name: 'plugins.json broken', check: 'configuration', level: 'bad', diagnose: brokenFile },
  {
    name: 'no proxy set',
    check: 'proxy-env',
    level: 'warn',
    diagnose: ({ node }) => diagnose(node),
  },
  { name: 'a provider dead', check: 'peer', level: 'bad', diagnose: deadPeer },
];

/** The third host's node and doctor live an hour ahead of the others. */
async function wrongClock({ group, third }: Stage): Promise<Diagnosis> {
  const node = group.node(3);
  await node.stop();
  const state = ['--state', node.stateDirectory, '--config', join(third.directory, 'plugins.json')];
  const env = atAnotherTime('+3600s');
  const program = third.spawn(process.execPath, [PROGRAM, 'start', ...state], { env });
  try {
    return await until('others are heard in another time', DEADLINE_MS, async () => {
      const words = [PROGRAM, 'doctor', '--json', ...state];
      const { stdout } = await third.run(process.execPath, words, { env });
      const seen = JSON.parse(stdout) as Diagnosis;
      return seen.findings.some(({ check, level }) => check === 'clock' && level === 'bad')
        ? seen
        : undefined;
    });
  } finally {
    await program.stop();
    await node.start();
  }
}

/** An identity of 90 days ago, which was good for 30. */
async function expired({ host }: Stage): Promise<Diagnosis> {
  const state = ['--state', join(host.directory, 'old')];
  const words = [PROGRAM, 'ca', 'init', ...state];
  const env = atAnotherTime('-90d');
  succeeded('ca init', await host.run(process.execPath, words, { env }));
  const { stdout } = await host.run(process.execPath, [PROGRAM, 'doctor', '--json', ...state]);
  return JSON.parse(stdout) as Diagnosis;
}

/** A small disk, mounted for the doctor alone: `ip netns exec` has mounts of its own. */
async function fullDisk({ host }: Stage): Promise<Diagnosis> {
  const state = join(host.directory, 'small');
  mkdirSync(state);
  const words = `"${process.execPath}" "${PROGRAM}" doctor --json --state "${state}"`;
  const line = `mount -t tmpfs -o size=1m small "${state}" && ${words}`;
  const { stdout } = await host.run('sh', ['-c', line]);
  return JSON.parse(stdout) as Diagnosis;
}

async function brokenFile({ host, node }: Stage): Promise<Diagnosis> {
  const file = join(host.directory, 'broken.json');
  writeFileSync(file, '{\n  "core": { "packetport": 1967 }\n}\n');
  return diagnose(node, '--config', file);
}

/** The node that all got their identity from is gone without a word. */
async function deadPeer({ group, node }: Stage): Promise<Diagnosis> {
  await group.node(1).kill();
  return diagnose(node);
}
