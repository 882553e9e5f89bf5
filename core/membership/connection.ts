/**
 * One TLS connection to an object server, kept for a few small requests in a row, and what TLS says
 * of it: for joining and renewing, whose proofs are tied to the connection.
 *
 * Invariants: there is never a second connection, so that what was found out about this one cannot
 * be used on another; answers are bounded in size and time; the server's certificate is not judged here but
 * by whoever uses the connection, before it sends anything that matters.
 */
import { Agent, type RequestOptions, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { CodedError } from '@peerage/sdk';

const ANSWER_BYTES_MAX = 512 * 1024;
const ANSWER_MS = 10_000;

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** Our own certificate and key, PEM; absent while we have none. */
  readonly cert?: string;
  readonly key?: string;
}

export interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly socket: TLSSocket;
}

export class Connection {
  private readonly options: ConnectionOptions;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  private socket: TLSSocket | undefined;

  constructor(options: ConnectionOptions) {
    this.options = options;
    this.agent.createConnection = (_options, callback) => {
      // A second one is refused: the first was closed in between.
      if (this.socket === undefined) return this.connect();
      callback?.(new Error('the connection was closed'), this.socket);
      return undefined;
    };
  }

  /** @throws CodedError `E_ENROL_UNREACHABLE` */
  async send(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    const { host, port } = this.options;
    try {
      if (this.socket?.destroyed === true) throw new Error('the connection was closed');
      return await this.exchange(method, path, body);
    } catch (cause) {
      throw unreachable(host, port, cause);
    }
  }

  private exchange(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    const { host, port } = this.options;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const signal = AbortSignal.timeout(ANSWER_MS);
    const options: RequestOptions = { host, port, method, path, agent: this.agent, signal };
    return new Promise((resolve, reject) => {
      const outgoing = request(options, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > ANSWER_BYTES_MAX) outgoing.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          const fields = readObject(Buffer.concat(chunks));
          if (this.socket === undefined) return reject(new Error('no connection'));
          resolve({ status: response.statusCode ?? 0, fields, socket: this.socket });
        });
      });
      if (text !== undefined) outgoing.setHeader('content-length', Buffer.byteLength(text));
      outgoing.on('error', reject);
      outgoing.end(text);
    });
  }

  close(): void {
    this.agent.destroy();
    this.socket?.destroy();
  }

  private connect(): TLSSocket {
    const { host, port, cert, key } = this.options;
    const own = cert === undefined || key === undefined ? {} : { cert, key };
    const trust = { rejectUnauthorized: false, minVersion: 'TLSv1.3' } as const;
    this.socket = connect({ ...own, ...trust, host, port });
    return this.socket;
  }
}

/** A text of an answer; empty if it is none. */
export function textOf({ fields }: Answer, name: string): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'string' ? value : '';
}

/** The error that a refusal carries, under the server's own code if it has the form of one. */
export function refusalOf(answer: Answer, where: string): CodedError {
  const code = textOf(answer, 'code');
  if (/^E_[A-Z_]{1,40}$/.test(code))
    return new CodedError(code, textOf(answer, 'error').slice(0, 500));
  return new CodedError('E_ENROL_UNAVAILABLE', `${where} does not take new machines in`, {
    expected: 'the machine that has the CA, with its node running and the CA unlocked',
    action: 'name that machine; with an encrypted CA start its node with --passphrase-file',
  });
}

function readObject(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function unreachable(host: string, port: number, cause: unknown): CodedError {
  return new CodedError('E_ENROL_UNREACHABLE', `${host}:${port} does not answer`, {
    expected: 'the running node of the machine that has the CA, its object port reachable',
    action: 'check the name, the firewall, and that `peerage start` runs there',
    cause,
  });
}
