/**
 * The settings of the plugin, as the host hands them over. Their schema, defaults and descriptions
 * are in package.json; the types here say the same in code.
 */
import type { CheckTimes, Recall } from '@peerage/update-agent';
import type { ClamavKeys } from './clamav/keys.js';

export interface ClamavSettings {
  /** Names of the databases; none: no ClamAV here. */
  readonly databases: readonly string[];
  /** A private mirror of the organisation, or `freshclam`: the official one, by freshclam itself. */
  readonly source: string;
  readonly mode: 'freshclam' | 'mirror' | 'place';
  readonly listen: { readonly address: string; readonly port: number };
  readonly databaseDirectory: string;
  /** Who freshclam runs as. */
  readonly databaseOwner: string;
  readonly freshclamRunsPerDay: number;
  /** The socket of clamd; empty: it is not told to reload. */
  readonly clamdSocket: string;
  readonly keys?: ClamavKeys;
}

export interface ProductSettings {
  readonly name: string;
  /** Where the metadata of the feed is, with a slash at its end. */
  readonly url: string;
  /** The first root metadata of the feed that this machine trusts: its `1.root.json`. */
  readonly root: Readonly<Record<string, unknown>>;
  /** Where its files go; empty: they are kept and offered, not placed. */
  readonly directory: string;
  /** Whether the installer of the admin runs after the files are there. */
  readonly isRunning: boolean;
}

export interface RuleSettings {
  readonly pins: Readonly<Record<string, string>>;
  readonly recalls: readonly Recall[];
  readonly canaryShare: number;
  readonly canaryWaitMinutes: number;
  /** Whether a recall that another node of the group announces is obeyed. */
  readonly acceptsRecalls: boolean;
}

export interface AntivirusSettings {
  readonly clamav: ClamavSettings;
  readonly products: readonly ProductSettings[];
  readonly times: CheckTimes;
  readonly rules: RuleSettings;
}
