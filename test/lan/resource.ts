/**
 * What the origin has: a file of its directory, or content made from a seed.
 *
 * `/bytes/SIZE/SEED` is SIZE bytes of the seed's content; what follows a further slash is ignored
 * (so that a URL may state its digest, as by-hash URLs do). Its query shapes the answer:
 * `etag=0` none, `etag=weak`; `modified=0` no Last-Modified; `cache=TEXT` the Cache-Control;
 * `range=0` no Range support; `length=0` no Content-Length.
 * Any other path is a file below the directory, never outside of it.
 */
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { content } from './content.js';

/** Made content is as old as this; old enough to look settled to a cache's heuristics. */
const MADE_AT = new Date('2020-02-02T02:02:02Z');
/** The largest content made: a mistyped size must not keep the origin busy for ever. */
const MAX_MADE_BYTES = 16 * 1024 ** 3;
const MADE_PATH = /^\/bytes\/(\d{1,12})\/([\w.-]{1,128})(?:\/|$)/;
const TYPES: Readonly<Record<string, string>> = {
  '.deb': 'application/vnd.debian.binary-package',
  '.gz': 'application/x-gzip',
  '.html': 'text/html',
  '.json': 'application/json',
  '.txt': 'text/plain',
};

export interface Resource {
  readonly sizeBytes: number;
  readonly type: string;
  readonly etag: string | undefined;
  readonly modifiedAt: Date | undefined;
  readonly cacheControl: string | undefined;
  /** Whether parts of it can be asked for. */
  readonly ranges: boolean;
  /** Whether the answer says how long it is. */
  readonly length: boolean;
  read(start: number, end: number): AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** The resource at a URL, `undefined` if there is none. */
export async function findResource(
  directory: string | undefined,
  url: URL,
): Promise<Resource | undefined> {
  const made = MADE_PATH.exec(url.pathname);
  if (made !== null) return madeResource(Number(made[1]), made[2] ?? '', url.searchParams);
  return directory === undefined ? undefined : fileResource(directory, url.pathname);
}

function madeResource(size: number, seed: string, query: URLSearchParams): Resource | undefined {
  if (size > MAX_MADE_BYTES) return undefined;
  const tag = `"${seed}-${size}"`;
  const wish = query.get('etag');
  return {
    sizeBytes: size,
    type: 'application/octet-stream',
    etag: wish === '0' ? undefined : wish === 'weak' ? `W/${tag}` : tag,
    modifiedAt: query.get('modified') === '0' ? undefined : MADE_AT,
    cacheControl: query.get('cache') ?? undefined,
    ranges: query.get('range') !== '0',
    length: query.get('length') !== '0',
    read: (start, end) => content(seed, start, end),
  };
}

async function fileResource(directory: string, pathname: string): Promise<Resource | undefined> {
  try {
    const root = await realpath(directory);
    const path = await realpath(join(root, decodeURIComponent(pathname)));
    const info = await stat(path);
    if (!path.startsWith(root + sep) || !info.isFile()) return undefined;
    return {
      sizeBytes: info.size,
      type: TYPES[extname(path)] ?? 'application/octet-stream',
      etag: `"${info.size.toString(16)}-${Math.round(info.mtimeMs).toString(16)}"`,
      modifiedAt: new Date(Math.floor(info.mtimeMs / 1000) * 1000),
      cacheControl: undefined,
      ranges: true,
      length: true,
      read: (start, end) =>
        end > start ? createReadStream(path, { start, end: end - 1 }) : ([] as Buffer[]),
    };
  } catch {
    // No such file, or a path that cannot be one: the same to a client.
    return undefined;
  }
}
