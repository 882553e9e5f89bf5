/** `ElectionService`: the election that the plugin's manifest names, own or the network's. */
import { CodedError, type ElectionWish, type PluginManifest } from '@peerage/sdk';
import { type LanElections, NETWORK_SERVICE } from '../../ports/elections.js';
import { type Call, type CallTable, notAvailable, untilEnd } from './call.js';

/** The manifest's election in its long form. */
export function electionOf({ election }: PluginManifest): ElectionWish {
  return typeof election === 'string' ? { mode: election } : election;
}

/** The scope of the plugin's election; `undefined` if it has none. */
export function electionService(manifest: PluginManifest): string | undefined {
  const { mode } = electionOf(manifest);
  if (mode === 'none') return undefined;
  return mode === 'own' ? manifest.id : NETWORK_SERVICE;
}

export function electionCalls(elections: LanElections | undefined): CallTable {
  const of = (call: Call): [elections: LanElections, service: string] => {
    const { manifest } = call.caller.plugin;
    const service = electionService(manifest);
    if (service === undefined) {
      throw new CodedError('E_ELECTION_NONE', `plugin ${manifest.id} has no election`, {
        action: 'set "election" in its manifest to "own" or "network"',
      });
    }
    if (elections === undefined) throw notAvailable('elections');
    return [elections, service];
  };
  return {
    'election.state': async (call) => {
      const [all, service] = of(call);
      return all.state(service);
    },
    'election.onChange': async (call) => {
      const [all, service] = of(call);
      untilEnd(
        call,
        all.onChange(service, (state) => call.emit(state)),
      );
      call.emit(all.state(service));
    },
    'election.resign': async (call) => {
      const [all, service] = of(call);
      all.resign(service);
    },
  };
}
