/**
 * `peerage plugins validate` and `peerage plugins why URL`: what the host would say of plugins.json,
 * without a running node, so that it can be known before anything is enabled.
 */
import { CodedError, describeError, errorCode } from '@peerage/sdk';
import { specificity } from '@peerage/sdk/pattern.js';
import { Grant } from '../host/grant.js';
import { integrityOf } from '../host/integrity.js';
import { type PluginPackage, readPlugin } from '../host/manifest.js';
import { type Configuration, readConfiguration } from '../ports/configuration.js';
import type { CommandLine } from './options.js';
import { print, usage } from './output.js';
import { formatTable } from './print.js';

interface Judged {
  readonly id: string;
  readonly enabled: boolean;
  readonly plugin?: PluginPackage;
  readonly code?: string;
  readonly error?: string;
}

/** @returns 0 if every plugin may run, else 1 */
export async function validate(line: CommandLine): Promise<number> {
  const all = await judgeAll(await configurationOf(line));
  const rows = await Promise.all(
    all.map(async ({ id, enabled, plugin, code, error }) => ({
      id,
      enabled,
      ok: error === undefined,
      ...(plugin === undefined
        ? { code, error }
        : { version: plugin.version, integrity: await integrityOf(plugin.directory) }),
    })),
  );
  const text = rows.map((row) => {
    const state = row.enabled ? '' : ' (disabled)';
    if ('error' in row) return `${row.id}${state}: ${row.error} [${row.code}]`;
    return `${row.id}${state}: good, version ${row.version}\n  integrity ${row.integrity}`;
  });
  print(line, rows, text.length === 0 ? 'no plugins' : text.join('\n'));
  return rows.every(({ ok }) => ok) ? 0 : 1;
}

/** Which plugin serves a URL, by which rule, and why the others do not. */
export async function whyPlugin(line: CommandLine, url: string | undefined): Promise<number> {
  if (url === undefined) throw usage('which URL?');
  const all = await judgeAll(await configurationOf(line));
  const rows = all.map((judged) => ({ ...verdict(judged, url), id: judged.id }));
  const best = rows
    .filter(({ serves }) => serves)
    .reduce(
      (a, b) => (b.specificity > (a?.specificity ?? -1) ? b : a),
      rows.find(() => false),
    );
  const table = rows.map(({ id, rule, specificity: fixed, reason }) => {
    return [id, rule ?? '-', `${fixed}`, id === best?.id ? 'serves it' : reason];
  });
  const text = formatTable(['plugin', 'rule', 'fixed characters', 'verdict'], table);
  print(line, { url, servedBy: best?.id ?? null, plugins: rows }, text);
  return best === undefined ? 1 : 0;
}

function verdict({ enabled, plugin, error }: Judged, url: string) {
  const none = { rule: undefined, specificity: 0, serves: false };
  if (plugin === undefined) return { ...none, reason: `it cannot run: ${error}` };
  const { rule, granted } = new Grant(plugin.manifest, plugin.entry.grant).judge(plain(url));
  if (rule === undefined) return { ...none, reason: 'no URL pattern of its manifest fits' };
  const found = { rule, specificity: specificity(rule) };
  if (!granted) return { ...found, serves: false, reason: 'grant.urls does not allow it' };
  if (!enabled) return { ...found, serves: false, reason: 'it is disabled' };
  return { ...found, serves: true, reason: 'another one fits better' };
}

async function judgeAll(configuration: Configuration): Promise<Judged[]> {
  return Promise.all(
    Object.entries(configuration.plugins).map(async ([id, entry]) => {
      const { enabled } = entry;
      try {
        return { id, enabled, plugin: await readPlugin(id, entry, configuration) };
      } catch (error) {
        return { id, enabled, code: errorCode(error), error: describeError(error) };
      }
    }),
  );
}

function configurationOf({ configurationFile: file }: CommandLine): Promise<Configuration> {
  if (file !== undefined) return readConfiguration(file);
  throw new CodedError('E_CONFIG_UNREADABLE', 'there is no plugins.json', {
    action: 'name one with --config',
  });
}

/** The URL as the host judges it. */
function plain(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  url.hash = '';
  return url.href;
}
