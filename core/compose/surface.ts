/** How the plugin host and the local interface are put together. */
import { PluginHosting } from '../host/host.js';
import { PolicyKeeper } from '../membership/policy-keeper.js';
import { PeeringDriver } from '../peering/driver.js';
import { NetworkElections } from '../peering/elections.js';
import { ControlService } from '../service/control.js';
import { systemClock } from '../system.js';
import { OwnContentService } from '../transfer/own-content.js';
import { RequestPath } from '../transfer/request.js';
import { ObjectServer } from '../transfer/serve.js';
import { Serving } from '../transfer/serving.js';
import { CORE_VERSION } from '../version.js';
import { type Ground, type Register } from './parts.js';

export function composeSurface(register: Register, ground: Ground): void {
  const { identity, solo, configuration, logger, stateDirectory } = ground;
  register(PluginHosting, (p) => {
    const transfer = p.resolve(RequestPath);
    const coreVersion = CORE_VERSION;
    return new PluginHosting({
      configuration,
      stateDirectory,
      transfer,
      lender: transfer,
      own: p.resolve(OwnContentService),
      announcements: p.resolve(PeeringDriver),
      elections: p.resolve(NetworkElections),
      view: {
        status: () => p.resolve(ControlService).view('/status'),
        peers: () => p.resolve(ControlService).view('/peers'),
        downloads: () => p.resolve(ControlService).view('/downloads'),
        look: (what, url) => p.resolve(ControlService).view(`/${what}`, url),
      },
      coreVersion,
      sockets: ground.sockets,
      clock: systemClock,
      logger,
    });
  });
  register(ControlService, (p) => {
    const { name, group } = identity;
    const about = {
      name,
      group,
      get kid() {
        return identity.kid;
      },
      solo,
      version: CORE_VERSION,
      get certificateEnds() {
        return new Date(identity.certificate.validTo).toISOString();
      },
      get authorityEnds() {
        return new Date((identity.anchors[0] ?? identity.ca).validTo).toISOString();
      },
    };
    return new ControlService({
      serve: (on) => {
        const serving = p.resolve(Serving);
        const change = serving.on === on ? 0 : 1;
        serving.on = on;
        p.resolve(PeeringDriver).renewed();
        return change;
      },
      stateDirectory,
      about,
      policy: solo ? undefined : p.resolve(PolicyKeeper),
      peering: p.resolve(PeeringDriver),
      elections: p.resolve(NetworkElections),
      transfer: p.resolve(RequestPath),
      server: p.resolve(ObjectServer),
      host: p.resolve(PluginHosting),
      probe: () => p.resolve(PeeringDriver).renewed(),
      equivocations: () => ground.keyring.equivocations.list(),
      metricsPort: configuration.core.metricsPort,
      logger,
    });
  });
}
