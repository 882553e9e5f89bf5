/** The commands about resources: get, cache pin|unpin|purge. */
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CodedError, errorCode } from '@peerage/sdk';
import type { DownloadStatus } from '../ports/ports.js';
import { type BodyEnd, END_TRAILER } from '../service/control.js';
import { ask, readAll, send, serviceError } from './client.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';
import { formatBytes, ProgressBar } from './print.js';

/** How often a node is asked how a download goes on, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** `peerage get URL [-o FILE]`: writes to FILE, or to standard output. */
export async function get(line: CommandLine, url: string | undefined): Promise<number> {
  if (url === undefined) throw usage('which URL?');
  const { outputFile } = line;
  if (outputFile === undefined) return copy(line, url, process.stdout, () => undefined);
  const there = await stat(outputFile).catch(() => undefined);
  // A device or a pipe is written to: a file that took its place would take it from everybody.
  const isPlain = there === undefined || there.isFile() || there.isDirectory();
  return isPlain ? getFile(line, url, outputFile) : getInto(line, url, outputFile);
}

/** To a file, which is there as a whole or as it was before; a link stays one. */
async function getFile(line: CommandLine, url: string, outputFile: string): Promise<number> {
  const target = await realpath(outputFile).catch(() => outputFile);
  const temporary = `${target}.part`;
  const output = await openOutput(temporary, outputFile);
  try {
    return await copy(line, url, output, () => place(temporary, target));
  } finally {
    output.destroy();
    await rm(temporary, { force: true });
  }
}

/** To what is no file, as it comes. */
async function getInto(line: CommandLine, url: string, outputFile: string): Promise<number> {
  const output = await openOutput(outputFile, outputFile);
  try {
    return await copy(line, url, output, () => undefined);
  } finally {
    output.destroy();
  }
}

/** @param complete called when all is written, unless the origin's answer was an error */
async function copy(
  line: CommandLine,
  url: string,
  output: Writable,
  complete: () => Promise<void> | undefined,
): Promise<number> {
  const known = line.sha256 === undefined ? {} : { sha256: line.sha256 };
  const query = new URLSearchParams({ url, ...known });
  const bar = new ProgressBar(url.split('/').pop() || url);
  const over = watch(bar, line.stateDirectory, url);
  try {
    const response = await send(line.stateDirectory, 'GET', `/get?${query}`, true);
    return await copyBody(line, url, output, { response, bar, complete });
  } finally {
    over();
    bar.end();
  }
}

/** Shows what the node says of the download, also while it waits for another node's. */
function watch(bar: ProgressBar, stateDirectory: string, url: string): () => void {
  if (!bar.visible) return () => undefined;
  const href = URL.canParse(url) ? new URL(url).href : url;
  const timer = setInterval(() => {
    ask(stateDirectory, 'GET', '/downloads').then(
      (shown) => {
        bar.download = (shown as DownloadStatus[]).find((download) => download.url === href);
        bar.draw();
      },
      // The command itself will say what is wrong.
      () => undefined,
    );
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

interface Answer {
  readonly response: IncomingMessage;
  readonly bar: ProgressBar;
  readonly complete: () => Promise<void> | undefined;
}

async function copyBody(
  line: CommandLine,
  url: string,
  output: Writable,
  { response, bar, complete }: Answer,
): Promise<number> {
  if (response.statusCode !== 200)
    throw serviceError(JSON.parse((await readAll(response)).toString('utf8')));
  const { headers } = response;
  const status = Number(headers['peerage-status']);
  const source = String(headers['peerage-source']);
  const length = headers['peerage-size'];
  bar.totalBytes = length === undefined ? undefined : Number(length);
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      bar.update(bytes);
      yield chunk;
    }
  };
  try {
    await pipeline(response, counted, output, { end: output !== process.stdout });
  } catch (cause) {
    // Whoever reads our output has enough of it.
    if (errorCode(cause) === 'EPIPE') return 1;
    if ((cause as NodeJS.ErrnoException).syscall === 'write') {
      throw unwritable(line.outputFile, cause);
    }
    throw brokenOff(url, bytes, cause);
  }
  bar.end();
  demandEnd(response, url, bytes);
  if (status !== 200) throw new CodedError('E_STATUS', `${url}: the origin answered ${status}`);
  await complete();
  if (line.json && line.outputFile !== undefined) print(line, { url, status, source, bytes }, '');
  else process.stderr.write(`${formatBytes(bytes)} from ${source}\n`);
  return 0;
}

/** @throws CodedError what the body failed with; `E_BODY_TRUNCATED` if nothing says how it ended */
function demandEnd({ trailers }: IncomingMessage, url: string, bytes: number): void {
  const text = trailers[END_TRAILER];
  if (text === undefined) throw brokenOff(url, bytes, undefined);
  const end = JSON.parse(decodeURIComponent(text)) as BodyEnd;
  if (end.code !== 'ok') throw serviceError(end);
}

function brokenOff(url: string, bytes: number, cause: unknown): CodedError {
  const message = `${url} broke off after ${bytes} bytes`;
  return new CodedError('E_BODY_TRUNCATED', message, { action: 'try again', cause });
}

/** Opened before anything is asked for. @throws CodedError `E_OUTPUT_UNWRITABLE` */
async function openOutput(path: string, outputFile: string): Promise<WriteStream> {
  const there = await stat(outputFile).catch(() => undefined);
  if (there?.isDirectory() === true) throw unwritable(outputFile, 'it is a directory');
  const stream = createWriteStream(path);
  try {
    await once(stream, 'open');
    return stream;
  } catch (cause) {
    throw unwritable(outputFile, cause);
  }
}

async function place(temporary: string, outputFile: string): Promise<void> {
  await rename(temporary, outputFile).catch((cause: unknown) => {
    throw unwritable(outputFile, cause);
  });
}

function unwritable(file: string | undefined, cause: unknown): CodedError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CodedError(
    'E_OUTPUT_UNWRITABLE',
    `${file ?? 'the output'} cannot be written: ${why}`,
    {
      action: 'choose another file with -o, or make room for it',
      cause,
    },
  );
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

/** `peerage serving on|off`: whether peers get anything from this node, until it is restarted. */
export async function serving(line: CommandLine, verb: string | undefined): Promise<number> {
  if (verb !== 'on' && verb !== 'off') throw usage('serving on, or serving off?');
  await ask(line.stateDirectory, 'POST', `/serving/${verb}`);
  const what = verb === 'on' ? 'what they ask for' : 'nothing';
  print(line, { serving: verb === 'on' }, `peers get ${what} from this node`);
  return 0;
}
