/** Settings and facts that the firewall's tests start from. */
import type { NetworkFacts } from '@peerage/firewall/guards.js';
import type { PolicySettings } from '@peerage/firewall/policy.js';

export const POLICY: PolicySettings = {
  minEntries: 1,
  maxEntries: 1000,
  maxShrinkPercent: 50,
  maxGrowthPercent: 300,
  widest4: 8,
  widest6: 19,
};

/** A machine with no network at all. */
export const NO_FACTS: NetworkFacts = {
  subnets: [],
  files: new Map(),
  peers: [],
  sshPorts: [22],
  allowed: [],
};
