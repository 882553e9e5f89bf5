/**
 * The caches that ours is measured beside: nginx's proxy_cache and squid, as Debian ships them,
 * configured for hits: no log, one worker, objects up to 2 GiB, small ones of squid's in memory.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, succeeded } from '../lan/command.js';
import { ORIGIN_NAME } from '../lan/lan.js';
import type { Place } from '../lan/place.js';
import { until } from '../lan/until.js';

const START_DEADLINE_MS = 20_000;
const NGINX_PORT = 18_080;
const SQUID_PORT = 13_128;

/** A cache that runs. */
export interface Cache {
  readonly name: string;
  readonly proxy: string;
  readonly pid: number;
  /** Takes half a minute for a gigabyte, so once has to do. */
  readonly isSlow: boolean;
  stop(): Promise<void>;
}

export async function startNginx(place: Place): Promise<Cache> {
  const directory = join(place.directory, 'nginx');
  for (const part of ['cache', 'temporary']) mkdirSync(join(directory, part), { recursive: true });
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, nginxConfiguration(directory));
  const program = place.spawn('nginx', ['-p', directory, '-c', file]);
  return started(place, 'nginx proxy_cache', NGINX_PORT, program);
}

function nginxConfiguration(directory: string): string {
  return `worker_processes 1; daemon off; user root; pid ${directory}/pid;
error_log ${directory}/error.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  client_body_temp_path ${directory}/temporary; proxy_temp_path ${directory}/temporary;
  proxy_max_temp_file_size 4096m;
  proxy_cache_path ${directory}/cache levels=1:2 keys_zone=c:10m max_size=8g use_temp_path=off;
  server {
    listen 127.0.0.1:${NGINX_PORT};
    location / { proxy_pass http://${ORIGIN_NAME}; proxy_cache c; }
  }
}
`;
}

export async function startSquid(place: Place): Promise<Cache> {
  const directory = join(place.directory, 'squid');
  mkdirSync(directory, { recursive: true });
  // It gives up root for a user of its own, who must reach the directory.
  for (let at = place.directory; at.includes('plab-'); at = dirname(at)) chmodSync(at, 0o755);
  succeeded('chown', await place.run('chown', ['proxy:', directory]));
  const file = join(directory, 'squid.conf');
  writeFileSync(file, squidConfiguration(directory));
  const base = ['-f', file, '-N'];
  succeeded('squid -z', await place.run('squid', [...base, '-z']));
  return started(place, 'squid', SQUID_PORT, place.spawn('squid', base));
}

function squidConfiguration(directory: string): string {
  return `http_port 127.0.0.1:${SQUID_PORT}
http_access allow all
access_log none
cache_log ${directory}/cache.log
cache_store_log none
pid_filename ${directory}/pid
coredump_dir ${directory}
maximum_object_size 2 GB
cache_dir aufs ${directory}/cache 8192 16 256
cache_mem 256 MB
maximum_object_size_in_memory 1 MB
shutdown_lifetime 1 seconds
`;
}

async function started(place: Place, name: string, port: number, program: Command): Promise<Cache> {
  const proxy = `http://127.0.0.1:${port}`;
  const look = async () => {
    const { code } = await place.run('curl', ['-s', '-o', '/dev/null', proxy]);
    return code === 0 ? true : undefined;
  };
  await until(`${name} answers`, START_DEADLINE_MS, look, () => program.stderr);
  const pid = program.child.pid ?? 0;
  return {
    name,
    proxy,
    pid,
    isSlow: name === 'squid',
    stop: async () => void (await program.stop()),
  };
}
