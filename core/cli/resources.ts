/** The commands about resources: get, cache pin|unpin|purge. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { CodedError } from '@peerage/sdk';
import { ask, readAll, send, serviceError } from './client.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';
import { formatBytes, ProgressBar } from './print.js';

/** `peerage get URL [-o FILE]`: writes to FILE, or to standard output. */
export async function get(line: CommandLine, url: string | undefined): Promise<number> {
  if (url === undefined) throw usage('which URL?');
  const known = line.sha256 === undefined ? {} : { sha256: line.sha256 };
  const query = new URLSearchParams({ url, ...known });
  const response = await send(line.stateDirectory, 'GET', `/get?${query}`, true);
  if (response.statusCode !== 200)
    throw serviceError(JSON.parse((await readAll(response)).toString('utf8')));
  const { headers } = response;
  const status = Number(headers['peerage-status']);
  const source = String(headers['peerage-source']);
  const total =
    headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const { outputFile } = line;
  const temporary = outputFile === undefined ? undefined : `${outputFile}.part`;
  const output = temporary === undefined ? process.stdout : createWriteStream(temporary);
  const bar = new ProgressBar(url.split('/').pop() || url, total);
  let received = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      received += chunk.length;
      bar.update(received);
      if (!output.write(chunk)) await once(output, 'drain');
    }
    if (outputFile !== undefined && temporary !== undefined) {
      output.end();
      await finished(output);
      if (status === 200) await rename(temporary, outputFile);
    }
  } catch (cause) {
    throw new CodedError('E_BODY_TRUNCATED', `${url} broke off after ${received} bytes`, {
      action: 'try again',
      cause,
    });
  } finally {
    bar.end();
    if (temporary !== undefined) await rm(temporary, { force: true });
  }
  if (status !== 200) throw new CodedError('E_STATUS', `${url}: the origin answered ${status}`);
  const summary = { url, status, source, bytes: received };
  if (line.json && outputFile !== undefined) print(line, summary, '');
  else process.stderr.write(`${formatBytes(received)} from ${source}\n`);
  return 0;
}

/** `peerage cache list|pin|unpin|purge URL` (list is elsewhere). */
export async function cache(
  line: CommandLine,
  verb: string,
  url: string | undefined,
): Promise<number> {
  if (!['pin', 'unpin', 'purge'].includes(verb)) throw usage(`cache ${verb} is not known`);
  if (url === undefined) throw usage('which URL?');
  const path = `/cache/${verb}?url=${encodeURIComponent(url)}`;
  const result = (await ask(line.stateDirectory, 'POST', path)) as { entries: number };
  print(line, result, `${result.entries} ${result.entries === 1 ? 'entry' : 'entries'}`);
  return result.entries > 0 ? 0 : 1;
}
