/** The member on the second host that calls the attacked node, and whose packets are recorded. */
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { type Ground, PACKET_PORT } from './ground.js';
import type { CallerOrder, CallerResult } from './kinds.js';
import { launch } from './launch.js';

const CALLS_PER_SECOND = 50;
const CALLER_PRIORITY = -10;

export class Caller {
  readonly recordFile: string;
  kid = '';
  private readonly ground: Ground;
  private readonly identityFile: string;

  private constructor(ground: Ground, identityFile: string) {
    this.ground = ground;
    this.identityFile = identityFile;
    this.recordFile = join(ground.lan.host(2).directory, 'recorded');
  }

  static async prepare(ground: Ground): Promise<Caller> {
    return new Caller(ground, await ground.identityFile('caller'));
  }

  async call(seconds: number, perSecond = CALLS_PER_SECOND): Promise<CallerResult> {
    const { lan } = this.ground;
    const { kid } = await this.ground.status();
    const order: CallerOrder = {
      identityFile: this.identityFile,
      address: lan.host(2).address,
      packetPort: PACKET_PORT,
      victim: { address: lan.host(1).address, kid },
      perSecond,
      seconds,
      recordFile: this.recordFile,
    };
    const { program, result } = launch<CallerResult>(lan.host(2), 'caller', order);
    // It would have a machine of its own, as the attacked node would.
    if (program.child.pid !== undefined) setPriority(program.child.pid, CALLER_PRIORITY);
    const called = await result;
    this.kid = called.kid;
    return called;
  }
}
