/**
 * The clients that `peerage setup` knows: which file of theirs says what, so that they ask the URL
 * cache of this machine. A file is ours alone, or somebody's in which we have marked lines.
 */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CodedError } from '@peerage/sdk';
import type { Insertion } from './marked-lines.js';

/** Where the URL cache of this machine listens. */
export interface CachePlace {
  /** `127.0.0.1:6516` */
  readonly proxy: string;
  readonly mirrors: readonly { readonly port: number; readonly upstream: string }[];
  /** The program that tells apt which proxy to use, as text. */
  readonly detectScript: () => Promise<string>;
}

export interface SettingOptions {
  /** Another file than the usual one. */
  readonly file: string | undefined;
  /** The port of the mirror, where there are several. */
  readonly mirrorPort: number | undefined;
}

/** One file of a client's; `content`: it is ours; `insertion`: these lines in somebody's file. */
export type ClientFile =
  | { readonly path: string; readonly content: string; readonly mode: number }
  | { readonly path: string; readonly insertion: Insertion };

export type Client = (place: CachePlace, options: SettingOptions) => Promise<ClientFile[]>;

const isRoot = (): boolean => process.getuid?.() === 0;
const configHome = (): string => process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');

export const CLIENTS: Readonly<Record<string, Client>> = { apt, npm, pip, freshclam, env };

/** apt asks a program first and goes on without a proxy when Peerage is down. */
async function apt({ proxy, detectScript }: CachePlace, { file }: SettingOptions) {
  const path = file ?? '/etc/apt/apt.conf.d/30peerage';
  const detector = join(dirname(dirname(path)), 'peerage-proxy-detect');
  const script = (await detectScript()).replace('127.0.0.1:6516', proxy);
  const content = [
    '// Written by `peerage setup apt`; --undo takes it away.',
    `Acquire::http::Proxy-Auto-Detect "${detector}";`,
    '',
  ].join('\n');
  return [
    { path: detector, content: script, mode: 0o755 },
    { path, content, mode: 0o644 },
  ];
}

async function npm({ mirrors }: CachePlace, { file, mirrorPort }: SettingOptions) {
  const { port } = theMirror('npm', mirrors, mirrorPort);
  const insertion = {
    lines: [`registry=http://127.0.0.1:${port}/`, 'replace-registry-host=always'],
    contradicts: /^\s*(registry|replace-registry-host)\s*=/,
  };
  return [{ path: file ?? join(homedir(), '.npmrc'), insertion }];
}

async function pip({ mirrors }: CachePlace, { file, mirrorPort }: SettingOptions) {
  const { port } = theMirror('pip', mirrors, mirrorPort);
  const usual = isRoot() ? '/etc/pip.conf' : join(configHome(), 'pip', 'pip.conf');
  const insertion = {
    section: '[global]',
    lines: [`index-url = http://127.0.0.1:${port}/simple`],
    contradicts: /^\s*index[-_]url\s*[=:]/,
  };
  return [{ path: file ?? usual, insertion }];
}

async function freshclam({ proxy }: CachePlace, { file }: SettingOptions) {
  const [host = '', port = ''] = proxy.split(':');
  const insertion = {
    lines: [`HTTPProxyServer ${host}`, `HTTPProxyPort ${port}`],
    contradicts: /^\s*HTTPProxy(Server|Port)\s/,
  };
  return [{ path: file ?? '/etc/clamav/freshclam.conf', insertion }];
}

/** Programs that follow http_proxy: of all users for root, else of this user's sessions. */
async function env({ proxy }: CachePlace, { file }: SettingOptions) {
  const user = join(configHome(), 'environment.d', '60-peerage.conf');
  const path = file ?? (isRoot() ? '/etc/profile.d/peerage.sh' : user);
  const names = [`http_proxy=http://${proxy}`, 'no_proxy=localhost,127.0.0.1'];
  const words = path.endsWith('.sh') ? names.map((name) => `export ${name}`) : names;
  const content = ['# Written by `peerage setup env`; --undo takes it away.', ...words, ''];
  return [{ path, content: content.join('\n'), mode: 0o644 }];
}

function theMirror(
  client: string,
  mirrors: CachePlace['mirrors'],
  port: number | undefined,
): { readonly port: number } {
  const [only, ...more] = mirrors.filter((mirror) => port === undefined || mirror.port === port);
  if (only !== undefined && more.length === 0) return only;
  const ports = mirrors.map((mirror) => `${mirror.port} for ${mirror.upstream}`).join(', ');
  throw new CodedError(
    'E_SETUP_MIRROR',
    only === undefined ? `there is no mirror for ${client}` : `there are several mirrors: ${ports}`,
    {
      expected: 'one mirror of its registry in the settings of url-cache',
      action:
        only === undefined
          ? 'add { "port": 6517, "upstream": "https://…/" } to plugins.url-cache.settings.mirrors'
          : 'name its port with --mirror',
    },
  );
}
