/** The scenarios that `npm run lab` knows. */
import type { Scenario } from '../scenario.js';
import { apt } from './apt.js';
import { crowd } from './crowd.js';
import { doctor } from './doctor.js';
import { enrol } from './enrol.js';
import { firewall } from './firewall.js';
import { failover } from './failover.js';
import { holder } from './holder.js';
import { kill } from './kill.js';
import { npm } from './npm.js';
import { once } from './once.js';
import { revoke } from './revoke.js';
import { survive } from './survive.js';

export const SCENARIOS: readonly Scenario[] = [
  apt,
  crowd,
  doctor,
  enrol,
  firewall,
  failover,
  holder,
  kill,
  npm,
  once,
  revoke,
  survive,
];
