/** `StatusService`: the node's own views, for those who were granted them. */
import type { NodeView } from '../../ports/plugins.js';
import { type CallTable, notAvailable } from './call.js';

export function statusCalls(view: NodeView | undefined): CallTable {
  const look = (what: keyof NodeView): CallTable[string] => {
    return async ({ caller }) => {
      caller.grant.demandStatus();
      if (view === undefined) throw notAvailable('status for plugins');
      // As it is printed: what a view holds beyond JSON stays in the core.
      return JSON.parse(JSON.stringify(view[what]())) as unknown;
    };
  };
  return {
    'status.status': look('status'),
    'status.peers': look('peers'),
    'status.downloads': look('downloads'),
  };
}
