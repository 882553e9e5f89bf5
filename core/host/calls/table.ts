/** All calls of all services: the whole of what a plugin can ask the core for. */
import type { LanElections } from '../../ports/elections.js';
import type { Lender } from '../../ports/leases.js';
import type { NodeView, OwnContent } from '../../ports/plugins.js';
import type { ContentTransfer, LanPeering } from '../../ports/ports.js';
import type { TicketOffice } from '../tickets.js';
import type { CallTable } from './call.js';
import { commandCalls } from './commands.js';
import { electionCalls } from './election.js';
import { leaseCalls } from './leases.js';
import { openCall } from './open.js';
import { peeringCalls } from './peering.js';
import { programCalls } from './programs.js';
import { statusCalls } from './status.js';

/** What the calls are carried out by. A node may lack what is optional. */
export interface CallServices {
  readonly transfer: ContentTransfer;
  readonly lender?: Lender | undefined;
  readonly own?: OwnContent | undefined;
  readonly announcements?: Pick<LanPeering, 'announce' | 'onAnnouncement'> | undefined;
  readonly elections?: LanElections | undefined;
  readonly view?: NodeView | undefined;
}

export function callTable(
  services: CallServices,
  tickets: TicketOffice,
  serviceFor: (asking: string, url: string) => string,
): CallTable {
  return {
    'peering.open': openCall({ transfer: services.transfer, tickets, serviceFor }),
    ...peeringCalls(services),
    ...electionCalls(services.elections),
    ...statusCalls(services.view),
    ...programCalls(),
    ...commandCalls(),
    ...leaseCalls(),
  };
}
