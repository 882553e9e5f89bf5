/** The scenarios that `npm run lab` knows. */
import type { Scenario } from '../scenario.js';
import { apt } from './apt.js';
import { npm } from './npm.js';
import { once } from './once.js';

export const SCENARIOS: readonly Scenario[] = [once, apt, npm];
