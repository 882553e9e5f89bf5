/**
 * A systemd of the lab's own, in namespaces (processes, mounts, network, cgroups): what it could
 * write to of this machine is private or empty there, so that nothing of the machine is touched and
 * none of its services is started.
 */
import { readFileSync } from 'node:fs';
import { describeError } from '@peerage/sdk';
import { Command, type Finished, type RunOptions } from './command.js';
import { inPlace } from './place.js';
import { missingTools } from './tools.js';
import { until } from './until.js';

const SYSTEMD = '/lib/systemd/systemd';
const BOOT_DEADLINE_MS = 30_000;

/** Directories that are empty there: state, caches, and every unit and setting of the machine. */
const EMPTY = [
  ...['/tmp', '/var/tmp', '/var/lib', '/var/cache', '/var/log', '/usr/lib/systemd/system'],
  ...['/usr/lib/systemd/system-generators', '/usr/lib/tmpfiles.d', '/usr/lib/sysctl.d'],
];
/** Targets that units refer to; they want nothing there. */
const TARGETS = ['sysinit', 'basic', 'sockets', 'multi-user', 'network-online', 'shutdown'];

const BOOT = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/etc /run/lock
cp -a /etc/. /run/etc/
rm -rf /run/etc/systemd /run/etc/tmpfiles.d /run/etc/sysctl.d
mkdir -p /run/etc/systemd/system /run/etc/sysusers.d
mount --bind /run/etc /etc
for directory in ${EMPTY.join(' ')}; do
  if [ -d "$directory" ]; then mount -t tmpfs tmpfs "$directory"; fi
done
for target in ${TARGETS.join(' ')}; do
  printf '[Unit]\\nDefaultDependencies=no\\n' > "/etc/systemd/system/$target.target"
done
ip link set lo up
exec env -i container=other PATH="$PATH" ${SYSTEMD} --system --unit=multi-user.target --log-target=console`;

/** Why there can be none here; `undefined` if there can. */
export function missingSystemd(): string | undefined {
  if (process.getuid?.() !== 0) return 'skipped: needs root';
  return missingTools(['unshare', 'nsenter', 'systemctl', 'systemd-sysusers', 'systemd-notify']);
}

export class PrivateSystemd {
  private readonly program: Command;
  private readonly directory: string;
  private pid = 0;

  private constructor(directory: string) {
    this.directory = directory;
    const apart = ['--pid', '--fork', '--mount', '--net', '--ipc', '--uts', '--cgroup'];
    const args = [...apart, '--mount-proc', '--kill-child', 'bash', '-c', BOOT];
    this.program = new Command('unshare', args, inPlace(directory, {}));
  }

  /** Boots it; resolves when it takes orders. @throws CodedError `E_LAB_TIMEOUT` */
  static async boot(directory: string): Promise<PrivateSystemd> {
    const booted = new PrivateSystemd(directory);
    const look = async () => {
      booted.pid = booted.child();
      if (booted.pid === 0) return undefined;
      return (await booted.run('systemctl', ['is-system-running'])).stdout === ''
        ? undefined
        : true;
    };
    try {
      await until('systemd takes orders', BOOT_DEADLINE_MS, look, () => booted.program.stderr);
      return booted;
    } catch (error) {
      await booted.stop();
      throw error;
    }
  }

  /** Why none boots on this machine (its containers and cgroups differ); `undefined` if one does. */
  static async missing(directory: string): Promise<string | undefined> {
    try {
      await (await PrivateSystemd.boot(directory)).stop();
      return undefined;
    } catch (error) {
      return `skipped: systemd does not boot in namespaces here (${describeError(error).slice(0, 300)})`;
    }
  }

  /** Runs a program beside it, in its namespaces. */
  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.spawn(command, args, options).within(options.deadlineMs);
  }

  spawn(command: string, args: readonly string[], options: RunOptions = {}): Command {
    const into = [
      '-t',
      String(this.pid),
      '--pid',
      '--mount',
      '--net',
      '--ipc',
      '--uts',
      '--cgroup',
    ];
    const words = [...into, '--wd=/', '--', command, ...args];
    return new Command('nsenter', words, inPlace(this.directory, options));
  }

  /** Ends it, and with it all that it runs. */
  async stop(): Promise<void> {
    this.program.kill();
    await this.program.finished;
  }

  /** Its process id as this machine counts; 0 while it is not there. */
  private child(): number {
    const { pid = 0 } = this.program.child;
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
      const child = Number(children.trim().split(' ')[0] ?? 0);
      return readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'systemd' ? child : 0;
    } catch {
      return 0;
    }
  }
}
