/**
 * The messages of elections to attributes and back (PROTOCOL §8). The criteria are one attribute:
 * `weight=0 internet=1 bandwidth=3`, in the order in which they decide.
 */
import { unreachable } from '../base/assert.js';
import type { Criterion } from '../protocol/election-criteria.js';
import type { ElectionMessage } from '../protocol/message.js';

/** Levels in one packet; no service has more. */
const CRITERIA_MAX = 16;
const CRITERION = /^([a-z]{1,16})=(0|-?[1-9][0-9]{0,3})$/;

type Pairs = Array<readonly [string, string]>;

export function encodeElection(message: ElectionMessage): Pairs {
  const pairs: Pairs = [
    ['service', message.service],
    ['epoch', String(message.epoch)],
  ];
  switch (message.type) {
    case 'election':
      pairs.push(['criteria', encodeCriteria(message.criteria)]);
      if (message.open) pairs.push(['open', '1']);
      return pairs;
    case 'result':
      pairs.push(['provider', message.provider], ['lease', String(Math.round(message.leaseMs))]);
      pairs.push(['settled', message.settled ? '1' : '0']);
      pairs.push(['criteria', encodeCriteria(message.criteria)]);
      if (message.backup !== undefined) pairs.push(['backup', message.backup]);
      if (message.replaces !== undefined) pairs.push(['replaces', String(message.replaces)]);
      return pairs;
    case 'standby':
      pairs.push(['criteria', encodeCriteria(message.criteria)]);
      return pairs;
    case 'alive':
      pairs.push(['ask', message.ask ? '1' : '0']);
      pairs.push(['interval', String(Math.round(message.intervalMs))]);
      return pairs;
    default:
      return unreachable(message);
  }
}

/** The message of attributes that fit the schema; `undefined` if they contradict themselves. */
export function decodeElection(
  type: ElectionMessage['type'],
  attributes: ReadonlyMap<string, string>,
): ElectionMessage | undefined {
  const text = (name: string) => attributes.get(name) ?? '';
  const service = text('service');
  const epoch = Number(text('epoch'));
  const to = text('to');
  const directed = to !== '';
  if (directed !== (type === 'standby' || type === 'alive')) return undefined;
  if (type === 'alive') {
    const intervalMs = Number(text('interval'));
    return { type, service, epoch, ask: text('ask') === '1', intervalMs, to };
  }
  const criteria = decodeCriteria(text('criteria'));
  if (criteria === undefined) return undefined;
  if (type === 'standby') return { type, service, epoch, criteria, to };
  if (type === 'election') return { type, service, epoch, criteria, open: text('open') === '1' };
  const backup = attributes.get('backup');
  const replaces = attributes.get('replaces');
  return {
    type,
    service,
    provider: text('provider'),
    epoch,
    leaseMs: Number(text('lease')),
    criteria,
    settled: text('settled') === '1',
    ...(backup === undefined ? {} : { backup }),
    ...(replaces === undefined ? {} : { replaces: Number(replaces) }),
  };
}

function encodeCriteria(criteria: readonly Criterion[]): string {
  return criteria.map(({ name, value }) => `${name}=${value}`).join(' ');
}

function decodeCriteria(text: string): Criterion[] | undefined {
  const parts = text.split(' ');
  if (parts.length > CRITERIA_MAX) return undefined;
  const criteria: Criterion[] = [];
  for (const part of parts) {
    const match = CRITERION.exec(part);
    if (match === null) return undefined;
    criteria.push({ name: match[1] ?? '', value: Number(match[2]) });
  }
  return criteria;
}
