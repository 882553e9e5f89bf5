/**
 * The client library: a program that is no plugin asks the running node of its machine for URLs, over
 * the node's local socket, and exits. It needs the rights of the user that runs the node.
 */
import { type IncomingMessage, request } from 'node:http';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { CodedError } from '@peerage/sdk';

/** Most that an answer other than a body may hold, in bytes. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export interface ClientOptions {
  /** The node's state directory; where the command `peerage` looks by default. */
  readonly stateDirectory?: string;
}

export interface GetOptions {
  /** The bytes' SHA-256, hexadecimal; other bytes are refused (`E_DIGEST_MISMATCH`). */
  readonly sha256?: string;
  readonly signal?: AbortSignal;
}

/** A resource on its way: head at once, body as it arrives. */
export interface Got {
  /** The HTTP status of the resource itself. */
  readonly status: number;
  /** `hit`, `peer`, `origin`, `collapsed`, `revalidated` or `stale`. */
  readonly source: string;
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  /** Ends early only by throwing. */
  readonly body: AsyncIterable<Uint8Array>;
}

export class PeerageClient {
  private readonly stateDirectory: string;

  constructor(options: ClientOptions = {}) {
    this.stateDirectory = options.stateDirectory ?? defaultStateDirectory();
  }

  /**
   * Gets a URL: from the node's store, a peer or the Internet, and the node shares it afterwards.
   * @throws CodedError `E_NOT_RUNNING`, `E_FORBIDDEN`, or the node's own (`E_ORIGIN_UNREACHABLE`, …)
   */
  async get(url: string, { sha256, signal }: GetOptions = {}): Promise<Got> {
    const query = new URLSearchParams({ url, ...(sha256 === undefined ? {} : { sha256 }) });
    const response = await this.send('control.sock', 'GET', `/get?${query}`, signal);
    if (response.statusCode !== 200) throw await fault(response);
    const { headers } = response;
    const length = headers['content-length'];
    return {
      status: Number(headers['peerage-status']),
      source: String(headers['peerage-source']),
      sizeBytes: length === undefined ? undefined : Number(length),
      sha256: headers['peerage-sha256'] as string | undefined,
      body: response,
    };
  }

  /** What `peerage status --json` prints. @throws CodedError `E_NOT_RUNNING` */
  async status(): Promise<Readonly<Record<string, unknown>>> {
    const response = await this.send('status.sock', 'GET', '/status');
    if (response.statusCode !== 200) throw await fault(response);
    return JSON.parse(await readText(response)) as Record<string, unknown>;
  }

  private send(
    socket: string,
    method: string,
    path: string,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const socketPath = join(this.stateDirectory, socket);
    return new Promise((done, failed) => {
      const options = { socketPath, method, path, agent: false, ...(signal && { signal }) };
      const outgoing = request(options, done);
      outgoing.once('error', (cause: NodeJS.ErrnoException) => failed(this.notReached(cause)));
      outgoing.end();
    });
  }

  private notReached(cause: NodeJS.ErrnoException): CodedError {
    if (cause.name === 'AbortError') return new CodedError('E_CANCELLED', 'it was cancelled');
    const isDenied = cause.code === 'EACCES' || cause.code === 'EPERM';
    if (isDenied)
      return new CodedError('E_FORBIDDEN', 'only the user of the node may ask', { cause });
    return new CodedError('E_NOT_RUNNING', `no node is running in ${this.stateDirectory}`, {
      action: 'start one with `peerage start`, or name its state directory',
      cause,
    });
  }
}

async function fault(response: IncomingMessage): Promise<CodedError> {
  const { code, error } = JSON.parse(await readText(response)) as { code?: string; error?: string };
  return new CodedError(code ?? 'E_INTERNAL', error ?? 'the node failed');
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) throw new CodedError('E_INTERNAL', 'the node answered too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Where the command `peerage` looks if nobody says otherwise. */
function defaultStateDirectory(): string {
  const { PEERAGE_STATE, XDG_STATE_HOME } = process.env;
  if (PEERAGE_STATE !== undefined) return resolve(PEERAGE_STATE);
  if (process.getuid?.() === 0) return '/var/lib/peerage';
  return join(XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'peerage');
}
