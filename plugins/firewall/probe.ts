/**
 * The probe: whether this machine still reaches what it reached before a change.
 *
 *   baseline (before) ─► put ─► confirm: again and again until all is well or the time is up
 *
 * An address answers if a TCP connection is accepted or refused: both take a packet there and one
 * back. Whatever did not answer before the change is not expected to answer after it. Every
 * address of the settings must; of the peers one is enough, for a peer may leave at any moment.
 */
import { connect } from 'node:net';
import { CodedError, errorCode } from '@peerage/sdk';
import { MAX_PROBED_PEERS, PROBE_PAUSE_MS, PROBE_TIMEOUT_MS } from './limits.js';

export interface ProbeAddress {
  readonly host: string;
  readonly port: number;
}

/** What answered before the change. */
export interface Baseline {
  readonly required: readonly ProbeAddress[];
  readonly peers: readonly ProbeAddress[];
}

export interface ProbeOptions {
  /** Of the settings: each that answered before must answer after. */
  readonly required: readonly ProbeAddress[];
  readonly peers: () => Promise<readonly ProbeAddress[]>;
  /** How long after a change all must be well, or it is taken back. */
  readonly confirmMs: number;
  readonly answers?: (address: ProbeAddress) => Promise<boolean>;
  readonly nowMs?: () => number;
  readonly pause?: (waitMs: number) => Promise<void>;
}

export class Probe {
  private readonly options: Required<ProbeOptions>;

  constructor(options: ProbeOptions) {
    const pause = (waitMs: number) => new Promise<void>((resolve) => setTimeout(resolve, waitMs));
    const nowMs = () => performance.now();
    this.options = { answers: answersTcp, nowMs, pause, ...options };
  }

  async baseline(): Promise<Baseline> {
    const peers = (await this.options.peers()).slice(0, MAX_PROBED_PEERS);
    return {
      required: await this.answering(this.options.required),
      peers: await this.answering(peers),
    };
  }

  /** @throws CodedError `E_PROBE_FAILED` if the time is up */
  async confirm(baseline: Baseline): Promise<void> {
    const endAtMs = this.options.nowMs() + this.options.confirmMs;
    for (;;) {
      const silent = await this.silent(baseline);
      if (silent.length === 0) return;
      if (this.options.nowMs() >= endAtMs) {
        const names = silent.map(({ host, port }) => `${host}:${port}`).join(', ');
        throw new CodedError('E_PROBE_FAILED', `${names} answered before the change, not after`, {
          expected: `an answer within ${this.options.confirmMs / 1000} s`,
          action: 'what was in force is in force again; look which entry covers that address',
        });
      }
      await this.options.pause(PROBE_PAUSE_MS);
    }
  }

  /** What should answer and does not. */
  private async silent({ required, peers }: Baseline): Promise<readonly ProbeAddress[]> {
    const answering = await this.answering(required);
    const silent = required.filter((address) => !answering.includes(address));
    const isLonely = peers.length > 0 && (await this.answering(peers)).length === 0;
    return isLonely ? [...silent, ...peers] : silent;
  }

  private async answering(addresses: readonly ProbeAddress[]): Promise<readonly ProbeAddress[]> {
    const answers = await Promise.all(addresses.map((address) => this.options.answers(address)));
    return addresses.filter((_, index) => answers[index]);
  }
}

function answersTcp({ host, port }: ProbeAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_TIMEOUT_MS });
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', (error) => end(errorCode(error) === 'ECONNREFUSED'));
  });
}
