/** Readers that take next to nothing are cut; slow sources cost nobody its connection. */
import { equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { watchReader } from '@peerage/core/transfer/slow-reader.js';

const WRITE_MS = 100;

describe('a reader of an upload', () => {
  let server: Server;
  let reader: Socket;
  let upload: Socket;

  beforeEach(async () => {
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
    [upload] = (await once(server, 'connection')) as [Socket];
    upload.on('error', () => undefined);
  });
  afterEach(() => {
    reader.destroy();
    upload.destroy();
    server.close();
  });

  it('that takes nothing while bytes wait is cut', async () => {
    reader.pause();
    const startedAt = performance.now();
    upload.write(Buffer.alloc(64 * 1024 * 1024));
    await new Promise<void>((resolve) => watchReader(upload, resolve, WRITE_MS));
    ok(performance.now() - startedAt >= WRITE_MS);
  });

  it('that has taken all there is waits as long as the source takes', async () => {
    let cut = 0;
    reader.resume();
    const unwatch = watchReader(upload, () => (cut += 1), WRITE_MS);
    for (let i = 0; i < 5; i += 1) {
      upload.write('piece');
      await once(AbortSignal.timeout(WRITE_MS), 'abort');
    }
    unwatch();
    equal(cut, 0);
  });
});
