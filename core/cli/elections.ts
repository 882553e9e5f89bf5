/** `peerage elections`: who provides what and why; and what an admin may do about it. */
import { CodedError } from '@peerage/sdk';
import type { ElectionRow } from '../ports/elections.js';
import { ask } from './client.js';
import type { CommandLine } from './options.js';
import { formatTable } from './print.js';

const CANDIDATES_SHOWN = 10;
const CHANGES_SHOWN = 5;

/**
 * `elections`, `elections start|resign [SERVICE]`, `elections pin|unpin|exclude|include NODE
 * [SERVICE]`; the service is the network-wide one if none is named.
 */
export async function elections(line: CommandLine): Promise<number> {
  const [, verb, ...rest] = line.words;
  if (verb === undefined) return show(line);
  const ofNode = ['pin', 'unpin', 'exclude', 'include'].includes(verb);
  if (!ofNode && verb !== 'start' && verb !== 'resign') throw usage(`elections ${verb}`);
  const [node, service] = ofNode ? rest : [undefined, rest[0]];
  if (ofNode && node === undefined) throw usage(`elections ${verb} without a node`);
  const query = new URLSearchParams();
  if (service !== undefined) query.set('service', service);
  if (node !== undefined) query.set('node', node);
  if (verb.startsWith('un') || verb === 'include') query.set('off', '1');
  const path = { unpin: 'pin', include: 'exclude' }[verb] ?? verb;
  await ask(line.stateDirectory, 'POST', `/elections/${path}?${query}`);
  if (line.json) process.stdout.write(`${JSON.stringify({ done: verb })}\n`);
  return 0;
}

async function show(line: CommandLine): Promise<number> {
  const rows = (await ask(line.stateDirectory, 'GET', '/elections')) as ElectionRow[];
  const text = line.json ? JSON.stringify(rows) : rows.map(describe).join('\n\n');
  process.stdout.write(`${text === '' ? 'no elections' : text}\n`);
  return 0;
}

function describe(row: ElectionRow): string {
  const name = (provider: ElectionRow['provider']) =>
    provider === undefined ? 'nobody' : `${provider.node}${provider.isSelf ? ' (this node)' : ''}`;
  const shown = row.candidates.slice(0, CANDIDATES_SHOWN);
  const candidates = shown.map(({ node, class: rank, levels }) => [
    node,
    String(rank),
    ...row.criteria.map((level) => String(levels[level] ?? '')),
  ]);
  const changes = row.changes.slice(0, CHANGES_SHOWN).map(({ atMs, provider, epoch, reason }) => {
    return `  ${new Date(atMs).toISOString()}  ${provider ?? 'nobody'}, epoch ${epoch}: ${reason}`;
  });
  const since = row.sinceMs === 0 ? '' : `, since ${new Date(row.sinceMs).toISOString()}`;
  return [
    `service   ${row.service}`,
    `provider  ${name(row.provider)}, epoch ${row.epoch}${since}: ${row.reason}`,
    `backup    ${name(row.backup)}`,
    ...(row.pinned === undefined ? [] : [`pinned    ${row.pinned}`]),
    ...(row.excluded.length === 0 ? [] : [`excluded  ${row.excluded.join(', ')}`]),
    formatTable(['NODE', 'CLASS', ...row.criteria.map((level) => level.toUpperCase())], candidates),
    ...(changes.length === 0 ? [] : ['changes', ...changes]),
  ].join('\n');
}

function usage(what: string): CodedError {
  return new CodedError('E_USAGE', `${what} is not a command`, { action: 'see `peerage --help`' });
}
