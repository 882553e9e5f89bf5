/** How politeness is put together: rates, hours, the switch for serving (PROTOCOL §5.6). */
import { readHours } from '../base/hours.js';
import { Pace } from '../base/pace.js';
import { PeeringDriver } from '../peering/driver.js';
import { systemClock as clock } from '../system.js';
import { Manners } from '../transfer/manners.js';
import { paced } from '../transfer/paced.js';
import { type Giving, Serving } from '../transfer/serving.js';
import type { Ground, Parts, Register } from './parts.js';

const KIB = 1024;

export function composeManners(register: Register, { configuration }: Ground): void {
  const { core } = configuration;
  register(Serving, () => new Serving(core.serve));
  register(Manners, (p) => {
    const peering = p.resolve(PeeringDriver);
    const hours = readHours(core.internetHours);
    return new Manners({ clock, bytesPerSecond: core.internetRateKiBps * KIB, hours, peering });
  });
}

/** What the object server has to heed. */
export function givingOf({ configuration }: Ground, parts: Parts): Giving {
  const pace = new Pace(configuration.core.uploadRateKiBps * KIB);
  return {
    serving: () => parts.resolve(Serving).on,
    atPace: (body) => paced(body, pace, clock),
  };
}
