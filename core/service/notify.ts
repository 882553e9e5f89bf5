/**
 * Tells the service manager how the node is: ready, alive, stopping (sd_notify). Node has no
 * datagram sockets of the Unix kind, so systemd's own program says it, which the unit permits with
 * NotifyAccess=all. Without a service manager every call does nothing.
 */
import { execFile } from 'node:child_process';

/** Within half the time that the manager allows, as sd_watchdog_enabled(3) advises. */
const WATCHDOG_SHARE = 0.5;
const US_PER_MS = 1000;
/** Saying so must not hang the node. */
const SAY_MS = 5000;

export class ServiceManager {
  private readonly environment: NodeJS.ProcessEnv;
  private timer: NodeJS.Timeout | undefined;

  constructor(environment: NodeJS.ProcessEnv) {
    this.environment = environment;
  }

  /** The node is ready; from now on it says regularly that its event loop turns. */
  ready(status: string): void {
    void this.say('READY=1', `STATUS=${status}`, `MAINPID=${process.pid}`);
    const everyUs = Number(this.environment['WATCHDOG_USEC'] ?? 0);
    if (!(everyUs > 0)) return;
    const everyMs = (everyUs / US_PER_MS) * WATCHDOG_SHARE;
    this.timer = setInterval(() => void this.say('WATCHDOG=1'), everyMs);
    this.timer.unref();
  }

  async stopping(): Promise<void> {
    clearInterval(this.timer);
    await this.say('STOPPING=1');
  }

  private say(...words: string[]): Promise<void> {
    const { NOTIFY_SOCKET, PATH } = this.environment;
    if (NOTIFY_SOCKET === undefined) return Promise.resolve();
    const env = { NOTIFY_SOCKET, PATH };
    return new Promise((resolve) => {
      // A manager that does not hear us restarts us; there is nothing else to do about it.
      execFile('systemd-notify', words, { env, timeout: SAY_MS }, () => resolve());
    });
  }
}
