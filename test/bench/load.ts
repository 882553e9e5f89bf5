/**
 * Load clients, the same for every cache: curl for one large body, wrk for many small ones. Both
 * speak to the cache as to a proxy (absolute-form requests), which all the caches here understand.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeeded } from '../lan/command.js';
import type { Place } from '../lan/place.js';

/** For a gigabyte over a slow cache on a busy machine. */
const DEADLINE_MS = 120_000;
const CONNECTIONS = 32;

/** Fetches a URL and throws the bytes away; seconds it took, and what the cache said of it. */
export async function fetchOnce(
  place: Place,
  url: string,
  proxy: string | undefined,
): Promise<{ readonly seconds: number; readonly bytes: number }> {
  const way = proxy === undefined ? [] : ['--proxy', proxy];
  const args = ['-sS', '--fail', '-o', '/dev/null', '-w', '%{time_total} %{size_download}'];
  const done = await place.run('curl', [...args, ...way, url], { deadlineMs: DEADLINE_MS });
  const { stdout } = succeeded(`curl ${url}`, done);
  const [seconds, bytes] = stdout.split(' ').map(Number);
  return { seconds: seconds ?? Number.NaN, bytes: bytes ?? 0 };
}

/** Asks for a URL again and again over kept-alive connections; requests and errors counted. */
export async function hammer(
  place: Place,
  url: string,
  proxy: string,
  seconds: number,
): Promise<{ readonly perSecond: number; readonly requests: number; readonly errors: number }> {
  const script = join(place.directory, 'absolute.lua');
  const { host } = new URL(url);
  writeFileSync(script, `wrk.path = "${url}"\nwrk.headers["Host"] = "${host}"\n`);
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, proxy];
  const { stdout } = succeeded('wrk', await place.run('wrk', args, { deadlineMs: DEADLINE_MS }));
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0);
  return {
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    requests: number(/(\d+) requests in/),
    errors:
      number(/Non-2xx or 3xx responses: (\d+)/) + number(/read (\d+)/) + number(/timeout (\d+)/),
  };
}
