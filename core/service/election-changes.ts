/** What the control socket may do to elections: `POST /elections/… ?service=…&node=…`. */
import { CodedError } from '@peerage/sdk';
import { type LanElections, NETWORK_SERVICE } from '../ports/elections.js';

type Change = (url: string, query: URLSearchParams) => Promise<number>;

const NODE = /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/;

export function electionChanges(elections: () => LanElections): Readonly<Record<string, Change>> {
  const change = (act: (all: LanElections, service: string, query: URLSearchParams) => void) => {
    return async (_url: string, query: URLSearchParams) => {
      act(elections(), serviceOf(elections(), query), query);
      return 1;
    };
  };
  return {
    '/elections/start': change((all, service) => all.start(service)),
    '/elections/resign': change((all, service) => all.resign(service)),
    '/elections/pin': change((all, service, query) => {
      all.pin(service, query.has('off') ? undefined : nodeOf(query));
    }),
    '/elections/exclude': change((all, service, query) => {
      all.exclude(service, nodeOf(query), !query.has('off'));
    }),
  };
}

function serviceOf(elections: LanElections, query: URLSearchParams): string {
  const service = query.get('service') ?? NETWORK_SERVICE;
  const known = elections.table().map((row) => row.service);
  if (known.includes(service)) return service;
  throw new CodedError('E_ELECTION_UNKNOWN', `this node takes part in no election of ${service}`, {
    expected: known.join(', ') || 'a service that a plugin of this node elects for',
  });
}

function nodeOf(query: URLSearchParams): string {
  const node = query.get('node') ?? '';
  if (NODE.test(node)) return node;
  throw new CodedError('E_NAME_INVALID', `"${node.slice(0, 80)}" is no name of a node`, {
    expected: '1 to 63 letters, digits, dots or dashes',
  });
}
