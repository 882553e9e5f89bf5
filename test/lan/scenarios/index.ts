/** The scenarios that `npm run lab` knows. */
import type { Scenario } from '../scenario.js';
import { antivirus } from './antivirus.js';
import { apt } from './apt.js';
import { certificates } from './certificates.js';
import { crowd } from './crowd.js';
import { doctor } from './doctor.js';
import { enrol } from './enrol.js';
import { evil } from './evil.js';
import { failover } from './failover.js';
import { feed } from './feed.js';
import { firewall } from './firewall.js';
import { flood } from './flood.js';
import { holder } from './holder.js';
import { kill } from './kill.js';
import { npm } from './npm.js';
import { offline } from './offline.js';
import { once } from './once.js';
import { plugins } from './plugins.js';
import { reload } from './reload.js';
import { replay } from './replay.js';
import { revoke } from './revoke.js';
import { rotate } from './rotate.js';
import { service } from './service.js';
import { slowloris } from './slowloris.js';
import { soak } from './soak.js';
import { survive } from './survive.js';
import { takeover } from './takeover.js';

export const SCENARIOS: readonly Scenario[] = [
  antivirus,
  apt,
  certificates,
  crowd,
  doctor,
  enrol,
  evil,
  failover,
  feed,
  firewall,
  flood,
  holder,
  kill,
  npm,
  offline,
  once,
  plugins,
  reload,
  replay,
  revoke,
  rotate,
  service,
  slowloris,
  soak,
  survive,
  takeover,
];
