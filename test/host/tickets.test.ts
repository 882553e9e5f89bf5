/** Bodies on their way to a plugin: each goes to one reader, once, whole or with its error. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { redeem } from '@peerage/core/host/redeem.js';
import { TicketOffice } from '@peerage/core/host/tickets.js';
import { CodedError } from '@peerage/sdk';
import { collect, collectBroken, contentOf } from '../fakes/content.js';
import { useScratch } from '../fakes/scratch.js';

const content = contentOf('tickets', 3_000_000);

/** A body that knows whether it was closed. */
class WatchedBody implements AsyncIterable<Uint8Array> {
  read = 0;
  readonly closed: Promise<void>;
  private close: () => void = () => undefined;
  private readonly chunks: AsyncGenerator<Uint8Array>;

  constructor(chunks: Iterable<Uint8Array>, error?: Error) {
    this.closed = new Promise((resolve) => {
      this.close = resolve;
    });
    this.chunks = this.deliver(chunks, error);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.chunks.next(),
      return: async () => {
        this.close();
        return this.chunks.return(undefined);
      },
    };
  }

  private async *deliver(chunks: Iterable<Uint8Array>, error: Error | undefined) {
    for (const chunk of chunks) {
      this.read += chunk.length;
      yield chunk;
    }
    if (error !== undefined) throw error;
  }
}

function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function* endless(): Generator<Buffer> {
  for (;;) yield content.subarray(0, 100_000);
}

describe('a ticket', () => {
  const scratch = useScratch();
  let office: TicketOffice;
  beforeEach(async () => {
    office = await TicketOffice.open(scratch('sock'));
  });
  afterEach(() => office.close());

  const redeemed = (chunks: Iterable<Uint8Array>, error?: Error) =>
    redeem(office.path, office.issue(new WatchedBody(chunks, error)));

  it('is for the owner of the socket alone', async () => {
    assert.equal((await stat(office.path)).mode & 0o777, 0o600);
  });

  it('gives a body whole, whatever its chunks', async () => {
    for (const size of [1, 3, 65_536, 1_000_000, content.length]) {
      const whole = size < 10 ? content.subarray(0, 3000) : content;
      assert.ok((await collect(redeemed(cut(whole, size)))).equals(whole), `chunks of ${size}`);
    }
    assert.equal((await collect(redeemed([]))).length, 0);
    const empty = [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(0)];
    assert.equal((await collect(redeemed(empty))).toString(), 'a');
  });

  it('is good once', async () => {
    const ticket = office.issue(new WatchedBody([content]));
    assert.ok((await collect(redeem(office.path, ticket))).equals(content));
    const { error } = await collectBroken(redeem(office.path, ticket));
    assert.equal((error as { code?: string }).code, 'E_CORE_GONE');
  });

  it('is nothing that can be guessed, and garbage is sent away', async () => {
    const body = new WatchedBody([content]);
    const ticket = office.issue(body);
    for (const guess of [
      'A'.repeat(22),
      `${ticket.slice(0, 21)}!`,
      `${ticket} `,
      '\0'.repeat(5000),
    ]) {
      const socket = connect(office.path);
      socket.on('error', () => undefined);
      socket.write(guess);
      const [hadError] = await once(socket.resume(), 'close');
      assert.equal(socket.bytesRead, 0, `${hadError}`);
    }
    assert.equal(body.read, 0);
    assert.ok((await collect(redeem(office.path, ticket))).equals(content));
  });

  it('may come in pieces', async () => {
    const ticket = office.issue(new WatchedBody([Buffer.from('body')]));
    const socket = connect(office.path);
    for (const letter of ticket) {
      await new Promise<void>((resolve) => socket.write(letter, () => resolve()));
    }
    const answer = await collect(socket);
    assert.equal(answer.toString('latin1'), '\0\0\0\x04body\0\0\0\0');
  });

  it('carries the code of an error behind the bytes that came before it', async () => {
    const failure = new CodedError('E_DIGEST_MISMATCH', 'wrong', { expected: 'a', action: 'b' });
    const { bytes, error } = await collectBroken(redeemed([content], failure));
    assert.ok(bytes.equals(content));
    const { code, message, expected, action } = error as CodedError;
    assert.deepEqual([code, message, expected, action], ['E_DIGEST_MISMATCH', 'wrong', 'a', 'b']);
    const plain = await collectBroken(redeemed([], new Error('broke')));
    assert.equal((plain.error as CodedError).code, 'E_INTERNAL');
  });

  it('never ends a body well when the core goes away', async () => {
    const reading = redeemed(endless());
    await reading.next();
    const rest = collectBroken(reading);
    await office.close();
    assert.equal(((await rest).error as CodedError).code, 'E_CORE_GONE');
    await TicketOffice.open(office.path).then((next) => {
      office = next;
    });
  });

  it('closes the body when its reader leaves, and reads no further than it is read', async () => {
    const body = new WatchedBody(endless());
    const reading = redeem(office.path, office.issue(body));
    await reading.next();
    assert.ok(body.read < 20_000_000, `${body.read} bytes were read ahead`);
    await reading.return?.();
    await body.closed;
  });

  it('closes bodies that nobody fetches: at the end, and when there are too many', async () => {
    const first = new WatchedBody([content]);
    office.issue(first);
    const last = new WatchedBody([content]);
    for (let i = 0; i < 4096; i += 1) office.issue(last);
    await first.closed;
    await office.close();
    await last.closed;
    office = await TicketOffice.open(office.path);
  });
});
