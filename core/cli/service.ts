/**
 * `peerage service install|uninstall`: writes a hardened systemd unit, enables and starts it, or
 * takes it away; the state directory stays. With `--file` the unit is only written there, for
 * images and for a look at it. Prints what systemd itself thinks of the unit.
 */
import { execFile } from 'node:child_process';
import { access, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CodedError } from '@peerage/sdk';
import { readCacheListening } from './cache-settings.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';
import { SYSUSERS, socketText, unitText } from './systemd-unit.js';

const run = promisify(execFile);

const UNIT_FILE = '/etc/systemd/system/peerage.service';
const SYSUSERS_FILE = '/etc/sysusers.d/peerage.conf';
const PROGRAM_TIMEOUT_MS = 60_000;

export async function service(line: CommandLine, verb: string | undefined): Promise<number> {
  if (verb === 'install') return install(line);
  if (verb === 'uninstall') return uninstall(line);
  throw usage('service install or service uninstall?');
}

async function install(line: CommandLine): Promise<number> {
  const file = line.file ?? UNIT_FILE;
  const enable = line.file === undefined;
  if (enable) await demandSystemd();
  const program = await realpath(fileURLToPath(new URL('../../bin/peerage.js', import.meta.url)));
  for (const path of enable ? [program, process.execPath] : []) demandReachable(path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, unitText({ node: process.execPath, program }), { mode: 0o644 });
  const socketFile = line.sockets ? await writeSockets(line, file) : undefined;
  const judged = await judge(file, socketFile === undefined ? [] : [socketFile]);
  if (enable) {
    await writeFile(SYSUSERS_FILE, SYSUSERS, { mode: 0o644 });
    await tool('systemd-sysusers', SYSUSERS_FILE);
    await tool('systemctl', 'daemon-reload');
    // The sockets first: the service must find them open, or it opens the ports itself.
    if (socketFile !== undefined) {
      await run('systemctl', ['stop', 'peerage.service']).catch(() => undefined);
      await tool('systemctl', 'enable', 'peerage.socket');
      await tool('systemctl', 'restart', 'peerage.socket').catch(async (error: unknown) => {
        // Another program has a port: the service that we stopped goes on without.
        await run('systemctl', ['start', 'peerage.service']).catch(() => undefined);
        throw error;
      });
    }
    await tool('systemctl', 'enable', '--now', 'peerage.service');
  }
  const next = enable
    ? 'it runs: `systemctl status peerage`, `journalctl -u peerage`, `peerage doctor`'
    : 'nothing was enabled';
  print(
    line,
    { file, ...(socketFile === undefined ? {} : { socketFile }), enabled: enable, ...judged },
    [`wrote ${file}`, ...judged.lines, next].join('\n'),
  );
  return judged.valid === false ? 1 : 0;
}

/** The unit of the sockets beside that of the service; its path. */
async function writeSockets(line: CommandLine, unitFile: string): Promise<string> {
  const { address, port, mirrors } = await readCacheListening(line);
  if (!isIPv4(address)) throw usage(`--sockets needs an IPv4 address, not ${address}`);
  const ports = [port, ...mirrors.map((mirror) => mirror.port)].map((one) => ({
    address,
    port: one,
  }));
  const file = socketFileOf(unitFile);
  await writeFile(file, socketText('url-cache', ports), { mode: 0o644 });
  return file;
}

function socketFileOf(unitFile: string): string {
  return `${unitFile.replace(/\.service$/, '')}.socket`;
}

async function uninstall(line: CommandLine): Promise<number> {
  const file = line.file ?? UNIT_FILE;
  if (line.file === undefined) {
    await demandSystemd();
    const units = ['peerage.socket', 'peerage.service'];
    for (const unit of units)
      await run('systemctl', ['disable', '--now', unit]).catch(() => undefined);
    await rm(SYSUSERS_FILE, { force: true });
  }
  await rm(file, { force: true });
  await rm(socketFileOf(file), { force: true });
  if (line.file === undefined) await tool('systemctl', 'daemon-reload');
  const kept = 'the state directory and the user stay';
  print(line, { file, removed: true }, `removed ${file}; ${kept}`);
  return 0;
}

/** @throws CodedError `E_SERVICE_UNAVAILABLE` */
async function demandSystemd(): Promise<void> {
  const running = await access('/run/systemd/system').then(
    () => true,
    () => false,
  );
  if (running && process.getuid?.() === 0) return;
  throw new CodedError(
    'E_SERVICE_UNAVAILABLE',
    'a service can only be installed by root, with systemd',
    {
      action: 'run it with sudo; or have the unit written with --file, and install it by hand',
    },
  );
}

/** The unit hides the homes of people and temporary files from the service. @throws CodedError `E_SERVICE_UNAVAILABLE` */
function demandReachable(path: string): void {
  if (!/^\/(home|root|run\/user|tmp|var\/tmp)\//.test(path)) return;
  throw new CodedError('E_SERVICE_UNAVAILABLE', `a service cannot reach ${path}`, {
    expected: 'Peerage and Node.js outside of the homes of people and of /tmp',
    action: 'move Peerage to /opt/peerage; install Node.js for the whole machine',
  });
}

/** @throws CodedError `E_SERVICE_UNAVAILABLE` with what the tool said */
async function tool(command: string, ...words: string[]): Promise<void> {
  try {
    await run(command, words, { timeout: PROGRAM_TIMEOUT_MS });
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() ?? '';
    throw new CodedError('E_SERVICE_UNAVAILABLE', `${command} ${words.join(' ')}: ${said}`, {
      cause,
    });
  }
}

interface Judgement {
  /** `undefined` where there is no systemd-analyze. */
  readonly valid: boolean | undefined;
  /** Exposure from 0 (safe) to 10, by systemd-analyze security. */
  readonly exposure: number | undefined;
  readonly lines: readonly string[];
}

async function judge(file: string, others: readonly string[]): Promise<Judgement> {
  const analyze = (...words: string[]) =>
    run('systemd-analyze', words, { timeout: PROGRAM_TIMEOUT_MS }).then(
      ({ stdout, stderr }) => ({ ok: true, text: stdout + stderr }),
      (error: { code?: unknown; stdout?: string; stderr?: string }) => {
        return { ok: false, text: `${error.stdout ?? ''}${error.stderr ?? ''}`, code: error.code };
      },
    );
  const verified = await analyze('verify', file, ...others);
  if ('code' in verified && verified.code === 'ENOENT') {
    return { valid: undefined, exposure: undefined, lines: ['systemd-analyze is not there'] };
  }
  const { text } = await analyze('security', '--offline=true', file);
  const score = /Overall exposure level.*?:\s*([\d.]+)/.exec(text)?.[1];
  const lines = [
    verified.ok ? 'systemd-analyze verify: in order' : `systemd-analyze verify: ${verified.text}`,
    `systemd-analyze security: exposure ${score ?? 'unknown'} of 10 (lower is safer)`,
  ];
  return { valid: verified.ok, exposure: score === undefined ? undefined : Number(score), lines };
}
