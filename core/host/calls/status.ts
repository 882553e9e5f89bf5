/** `StatusService`: the node's own views, for those who were granted them. */
import type { StatusView } from '@peerage/sdk';
import type { NodeView } from '../../ports/plugins.js';
import { badCall, type Call, type CallTable, notAvailable, textOf } from './call.js';

export function statusCalls(view: NodeView | undefined): CallTable {
  const look = (show: (view: NodeView, call: Call) => unknown): CallTable[string] => {
    return async (call) => {
      call.caller.grant.demandStatus();
      if (view === undefined) throw notAvailable('status for plugins');
      // As it is printed: what a view holds beyond JSON stays in the core.
      return JSON.parse(JSON.stringify(show(view, call))) as unknown;
    };
  };
  return {
    'status.status': look((shown) => shown.status()),
    'status.peers': look((shown) => shown.peers()),
    'status.downloads': look((shown) => shown.downloads()),
    'status.look': look((shown, call) => shown.look(viewOf(call), urlOf(call))),
  };
}

const VIEWS: readonly string[] = ['cache', 'why', 'elections'] satisfies StatusView[];

function viewOf(call: Call): StatusView {
  const view = textOf(call, 'view');
  if (!VIEWS.includes(view)) throw badCall(call);
  return view as StatusView;
}

function urlOf(call: Call): string | undefined {
  return call.argument['url'] === undefined ? undefined : textOf(call, 'url');
}
