/**
 * The group policy on this node: loaded at start, taken from members that have a newer one,
 * enforced at once, kept on disk, passed on (PROTOCOL §1.8).
 *
 * Invariants: only a document that the CA signed is taken, and only one of a higher version; it is
 * in force in memory before anything is written or announced; nothing that fails here stops the
 * node: it goes on with the policy that it has.
 */
import type { X509Certificate } from 'node:crypto';
import { BoundedMap } from '../base/bounded.js';
import type { Clock, InstantMs } from '../base/time.js';
import type { Logger } from '../ports/log.js';
import type { PeerEndpoint } from '../ports/ports.js';
import { openPolicy, type SignedPolicy } from '../trust/group-policy.js';

/** A member whose promise of a newer policy did not hold is not asked again for this long. */
const FAILURE_PAUSE_MS = 5000;
const FAILURES_MAX = 1024;

export interface PolicyKeeperOptions {
  readonly ca: X509Certificate;
  /** This node's own name: it says so if it is revoked itself. */
  readonly ownName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly load: () => Promise<Buffer | undefined>;
  readonly save: (bytes: Buffer) => Promise<void>;
  /** Gets the document of a member. */
  readonly fetch: (from: PeerEndpoint) => Promise<Buffer>;
  /** Puts a policy in force; must not throw. */
  readonly enforce: (version: number, revoked: ReadonlySet<string>) => void;
}

/** The policy as the admin sees it. */
export interface PolicyStatus {
  readonly version: number;
  readonly issued: string | undefined;
  readonly revoked: readonly string[];
}

export class PolicyKeeper {
  private readonly options: PolicyKeeperOptions;
  private readonly pausedUntil = new BoundedMap<string, InstantMs>(FAILURES_MAX);
  private current: SignedPolicy | undefined;
  private fetching = false;
  private saving: Promise<void> = Promise.resolve();

  constructor(options: PolicyKeeperOptions) {
    this.options = options;
  }

  /** The exact bytes for whoever asks. */
  get bytes(): Buffer | undefined {
    return this.current?.bytes;
  }

  get version(): number {
    return this.current?.policy.version ?? 0;
  }

  status(): PolicyStatus {
    const policy = this.current?.policy;
    const issued = policy === undefined ? undefined : new Date(policy.issued).toISOString();
    return {
      version: this.version,
      issued,
      revoked: policy?.revoked.map(({ name }) => name) ?? [],
    };
  }

  /** Reads the state directory's document; at start, and when a command changed it. */
  async load(): Promise<void> {
    const bytes = await this.options.load();
    // Not written back: a command may have written a newer one meanwhile.
    if (bytes !== undefined) this.accept(bytes, 'state directory');
  }

  /** A member says that it has a newer one. */
  async heard(from: PeerEndpoint, version: number): Promise<void> {
    const { clock, logger } = this.options;
    const paused = (this.pausedUntil.get(from.kid) ?? Number.NEGATIVE_INFINITY) > clock.nowMs();
    if (this.fetching || paused || version <= this.version) return;
    this.fetching = true;
    try {
      const bytes = await this.options.fetch(from);
      if (!this.take(bytes, from.name)) this.pause(from.kid);
    } catch (error) {
      this.pause(from.kid);
      logger.log('warn', 'policy-not-fetched', { peer: from.name, error });
    } finally {
      this.fetching = false;
    }
  }

  /** Waits until what is in force is on disk. */
  async close(): Promise<void> {
    await this.saving;
  }

  /** Takes and keeps a document if it holds and is newer; false if not. */
  take(bytes: Buffer, from: string): boolean {
    if (!this.accept(bytes, from)) return false;
    this.saving = this.saving
      .then(() => this.options.save(bytes))
      .catch((error: unknown) => this.options.logger.log('error', 'policy-not-saved', { error }));
    return true;
  }

  private accept(bytes: Buffer, from: string): boolean {
    const { ca, ownName, logger, enforce } = this.options;
    const verdict = openPolicy(bytes, ca);
    if (!verdict.ok) {
      const why = { code: 'E_POLICY_INVALID', from, reason: verdict.reason };
      logger.log('warn', 'policy-refused', why);
      return false;
    }
    const { version, revoked } = verdict.value.policy;
    if (version <= this.version) return false;
    this.current = verdict.value;
    const names = new Set(revoked.map(({ name }) => name));
    enforce(version, names);
    logger.log('info', 'policy-taken', { version, revoked: names.size, from });
    if (names.has(ownName)) logger.log('error', 'revoked', { code: 'E_REVOKED', node: ownName });
    return true;
  }

  private pause(kid: string): void {
    this.pausedUntil.set(kid, this.options.clock.nowMs() + FAILURE_PAUSE_MS);
  }
}
