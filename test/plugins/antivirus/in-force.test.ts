/**
 * Versions put in force on one machine: by the real freshclam through the mirror, and without it by
 * the real clamscan and clamd; and what happens when one of them fails.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Clamd } from '@peerage/antivirus/clamav/clamd.js';
import { sampleOf } from '../../fakes/clamav-publisher.js';
import { useScratch } from '../../fakes/scratch.js';
import { installClamav, missingClamav } from '../../lan/clamav-programs.js';
import { skipIf } from '../../lan/skip.js';
import { until } from '../../lan/until.js';
import { FakeLan } from '../../update-agent/fake-lan.js';
import { ClamavOrigin, publisher, SOURCE, versionOf } from './clamav-origin.js';
import { RealPrograms, TestNode } from './rig.js';

const LOADED_MS = 15_000;

describe('antivirus: a version in force by the real programs', () => {
  const scratch = useScratch();
  let bin: string;
  let lan: FakeLan;
  let origin: ClamavOrigin;
  let programs: RealPrograms;
  const nodes: TestNode[] = [];
  const daemons: ChildProcess[] = [];

  before(skipIf(missingClamav));
  before(() => {
    bin = installClamav(scratch('programs'), publisher.keys);
  });
  beforeEach(async () => {
    lan = new FakeLan();
    origin = await ClamavOrigin.start(lan);
    origin.publish(2);
    programs = new RealPrograms(bin);
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
    for (const daemon of daemons.splice(0)) daemon.kill('SIGKILL');
    origin?.stop();
  });

  async function node(
    mode: 'freshclam' | 'place',
    options: { readonly runsPerDay?: number; readonly socket?: string; directory?: string } = {},
  ): Promise<TestNode> {
    const { runsPerDay = 24, socket = '', directory = scratch('node') } = options;
    const clamav = { mode, freshclamRunsPerDay: runsPerDay, clamdSocket: socket };
    const made = await TestNode.start(lan, 'n1', { directory, clamav, programs });
    nodes.push(made);
    return made;
  }

  const files = (one: TestNode) =>
    readdirSync(one.databaseDirectory).filter((name) => /c[lv]d$/.test(name));

  async function startClamd(one: TestNode, socket: string): Promise<Clamd> {
    const config = join(one.context.dataDirectory, 'clamd.conf');
    const lines = [
      `LocalSocket ${socket}`,
      `DatabaseDirectory ${one.databaseDirectory}`,
      'Foreground yes',
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    daemons.push(spawn(join(bin, 'clamd'), ['--config-file', config], { stdio: 'ignore' }));
    const clamd = new Clamd(socket);
    const look = async () => {
      return (await clamd.ask('PING').catch(() => undefined)) === 'PONG' ? true : undefined;
    };
    await until('clamd answers', LOADED_MS, look);
    return clamd;
  }

  it('freshclam takes the whole at first, then differences, and keeps the way back', async () => {
    const one = await node('freshclam');
    equal(await one.check(), 'updated');
    deepEqual(files(one), ['test.cvd']);
    origin.publish(4);
    equal(await one.check(), 'updated');
    deepEqual([files(one), one.version()], [['test.cld'], '4']);
    deepEqual(lan.asked.slice(1).sort(), [`${SOURCE}test-3.cdiff`, `${SOURCE}test-4.cdiff`]);
    await one.commands.run('recall', 'test', '4', '--back', '2');
    deepEqual([files(one), one.version()], [['test.cvd'], '2']);
  });

  it('freshclam is run no more often than the settings allow, also over a restart', async () => {
    const directory = scratch('node');
    const one = await node('freshclam', { runsPerDay: 1, directory });
    await one.check();
    await one.stop();
    origin.publish(3);
    const again = await node('freshclam', { runsPerDay: 1, directory });
    equal(await again.check(), 'failed');
    match(again.failure() ?? '', /E_FRESHCLAM_BUDGET/);
    deepEqual(programs.runs, ['freshclam']);
  });

  it('freshclam far behind a missing difference gets the whole of the mirror', async () => {
    const one = await node('freshclam');
    await one.check();
    origin.publish(3);
    origin.remove('test-3.cdiff');
    equal(await one.check(), 'updated');
    deepEqual([files(one), one.version()], [['test.cvd'], '3']);
  });

  it('without freshclam: test load, place, reload, detect', async () => {
    const socket = join(scratch('node'), 'clamd.ctl');
    const directory = join(socket, '..');
    mkdirSync(directory, { recursive: true });
    const seeded = join(directory, 'databases');
    mkdirSync(seeded, { recursive: true });
    writeFileSync(join(seeded, 'test.cvd'), versionOf(1).database);
    const one = await node('place', { socket, directory });
    const clamd = await startClamd(one, socket);
    const sample = join(directory, 'sample');
    writeFileSync(sample, sampleOf('test', 2));
    match(await clamd.ask(`SCAN ${sample}`), /OK$/);
    equal(await one.check(), 'updated');
    const detects = async () =>
      (await clamd.ask(`SCAN ${sample}`)).endsWith('FOUND') ? true : undefined;
    await until('clamd detects', LOADED_MS, detects);
    equal(one.version(), '2');
  });

  it('clamd down: the old database is put back, the reason told, and the next check heals', async () => {
    const socket = join(scratch('node'), 'clamd.ctl');
    const directory = join(socket, '..');
    const one = await node('place', { socket, directory });
    writeFileSync(join(one.databaseDirectory, 'test.cvd'), versionOf(1).database);
    equal(await one.check(), 'failed');
    match(one.failure() ?? '', /E_CLAMD_DOWN/);
    const placed = readFileSync(join(one.databaseDirectory, 'test.cvd'));
    equal(placed.equals(versionOf(1).database), true);
    await startClamd(one, socket);
    equal(await one.check(), 'updated');
    equal(
      readFileSync(join(one.databaseDirectory, 'test.cvd')).equals(versionOf(2).database),
      true,
    );
  });

  it('a database that clamscan cannot load is not placed', async () => {
    const one = await node('place');
    writeFileSync(join(one.databaseDirectory, 'test.cvd'), versionOf(1).database);
    programs.run = async () => ({ exitCode: 2, stdout: '', stderr: 'LibClamAV Error: too new' });
    equal(await one.check(), 'failed');
    match(one.failure() ?? '', /E_CLAMAV_LOAD.*too new/);
    equal(
      readFileSync(join(one.databaseDirectory, 'test.cvd')).equals(versionOf(1).database),
      true,
    );
    equal(existsSync(join(one.databaseDirectory, 'test.cvd.peerage-new')), false);
  });
});
