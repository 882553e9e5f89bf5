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
import { anchorsUnder, openPolicy, type SignedPolicy } from '../trust/group-policy.js';
import { openSuccession } from '../trust/succession.js';

/** A member whose promise of a newer policy did not hold is not asked again for this long. */
const FAILURE_PAUSE_MS = 5000;
const FAILURES_MAX = 1024;
/** Names that are kept of those that withhold it. */
const WITHHELD_MAX = 8;

/** The CAs that this node believes; `CurrentIdentity` is where they are kept. */
export interface Believer {
  readonly anchors: readonly X509Certificate[];
  believe(anchors: readonly X509Certificate[]): void;
}

export interface PolicyKeeperOptions {
  readonly believer: Believer;
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
  /** Called when other CAs are believed than before; before `enforce`; must not throw. */
  readonly anchored: () => void;
}

/** The policy as the admin sees it. */
export interface PolicyStatus {
  readonly version: number;
  /** Members that tell of a newer one and do not give it: they do so to whoever is revoked. */
  readonly withheldBy: readonly string[];
  readonly issued: string | undefined;
  readonly revoked: readonly string[];
}

/** The CAs that are believed with the policy of the state directory, if it holds. */
export function anchorsWith(
  anchors: readonly X509Certificate[],
  policy: Buffer | undefined,
): readonly X509Certificate[] {
  const verdict = policy === undefined ? undefined : openPolicy(policy, anchors);
  return verdict?.ok ? anchorsUnder(verdict.value) : anchors;
}

export class PolicyKeeper {
  private readonly options: PolicyKeeperOptions;
  private readonly pausedUntil = new BoundedMap<string, InstantMs>(FAILURES_MAX);
  private readonly withheldBy = new Set<string>();
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

  /** How the CA in force followed the one before, for those who know only that one. */
  get succession(): Buffer | undefined {
    return this.current?.policy.change?.succession;
  }

  /**
   * A CA that is believed says that another one follows it: both are, until the policy tells more.
   * @returns whether it holds and is news
   */
  succeed(bytes: Buffer): boolean {
    const { believer, logger } = this.options;
    const verdict = openSuccession(bytes, believer.anchors);
    if (!verdict.ok || holds(believer.anchors, verdict.value.ca)) return false;
    // One that was followed itself is not followed again: the policy in force knows better.
    if (this.current?.policy.change?.previous !== undefined) return false;
    this.believe([verdict.value.ca, ...believer.anchors]);
    logger.log('info', 'ca-succession-heard', { ca: verdict.value.ca.fingerprint256 });
    return true;
  }

  status(): PolicyStatus {
    const policy = this.current?.policy;
    const issued = policy === undefined ? undefined : new Date(policy.issued).toISOString();
    return {
      version: this.version,
      withheldBy: [...this.withheldBy],
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
      if (this.withheldBy.size < WITHHELD_MAX) this.withheldBy.add(from.name);
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
    const { believer, ownName, logger, enforce } = this.options;
    const verdict = openPolicy(bytes, believer.anchors);
    if (!verdict.ok) {
      const why = { code: 'E_POLICY_INVALID', from, reason: verdict.reason };
      logger.log('warn', 'policy-refused', why);
      return false;
    }
    const { version, revoked } = verdict.value.policy;
    if (version <= this.version) return false;
    this.current = verdict.value;
    this.withheldBy.clear();
    const names = new Set(revoked.map(({ name }) => name));
    this.believe(anchorsUnder(verdict.value));
    enforce(version, names);
    logger.log('info', 'policy-taken', { version, revoked: names.size, from });
    if (names.has(ownName)) logger.log('error', 'revoked', { code: 'E_REVOKED', node: ownName });
    return true;
  }

  private believe(anchors: readonly X509Certificate[]): void {
    const { believer, anchored } = this.options;
    const before = believer.anchors;
    const same = anchors.length === before.length && anchors.every((ca) => holds(before, ca));
    if (same) return;
    believer.believe(anchors);
    anchored();
  }

  private pause(kid: string): void {
    this.pausedUntil.set(kid, this.options.clock.nowMs() + FAILURE_PAUSE_MS);
  }
}

function holds(anchors: readonly X509Certificate[], ca: X509Certificate): boolean {
  return anchors.some(({ raw }) => raw.equals(ca.raw));
}
