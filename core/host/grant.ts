/**
 * What a plugin may do: its manifest's wishes, narrowed by the admin's grant, enforced here in the
 * core on every call. Whatever happens in the plugin's process, it gets no further than this.
 */
import {
  CodedError,
  type PluginGrant,
  type PluginManifest,
  type ProgramWish,
  type UrlPattern,
} from '@peerage/sdk';
import { PatternSet, specificity } from '@peerage/sdk/pattern.js';
import { Counters } from '../base/bounded.js';

/** The lists of patterns that a manifest and a grant both have. */
export type PatternKind = 'urls' | 'uploads' | 'publishes';

/** Which rule let a URL through, or why none did. */
export interface Judgement {
  /** The manifest's most specific pattern that fits. */
  readonly rule: UrlPattern | undefined;
  /** Whether the grant allows it as well. */
  readonly granted: boolean;
}

/** The patterns of a kind, made ready: this is asked at every call. */
interface Prepared {
  readonly wished: PatternSet;
  /** None: all that is wished for. */
  readonly granted: PatternSet | undefined;
}

const CODES = {
  urls: 'E_URL_NOT_GRANTED',
  uploads: 'E_UPLOAD_NOT_GRANTED',
  publishes: 'E_PUBLISH_NOT_GRANTED',
} as const;

export class Grant {
  readonly counters = new Counters();
  readonly writePaths: readonly string[];
  readonly listen: readonly (number | 'any')[];
  private readonly manifest: PluginManifest;
  private readonly grant: PluginGrant;
  private readonly patterns: Readonly<Record<PatternKind, Prepared>>;

  constructor(manifest: PluginManifest, grant: PluginGrant) {
    this.manifest = manifest;
    this.grant = grant;
    this.patterns = {
      urls: this.prepared('urls'),
      uploads: this.prepared('uploads'),
      publishes: this.prepared('publishes'),
    };
    const { writePaths = [], listen = [] } = manifest.permissions ?? {};
    this.writePaths = writePaths.filter((path) => grant.writePaths?.includes(path) ?? false);
    this.listen = narrowed(listen, grant.listen);
  }

  /** How a URL is judged, with the rule that decided. */
  judge(url: string, kind: PatternKind = 'urls'): Judgement {
    const { wished, granted } = this.patterns[kind];
    return {
      rule: wished.find(url),
      granted: granted === undefined || granted.find(url) !== undefined,
    };
  }

  /** How well the plugin's own patterns fit a URL that it may ask for; `undefined` if it may not. */
  precedence(url: string): number | undefined {
    const { rule, granted } = this.judge(url);
    return rule === undefined || !granted ? undefined : specificity(rule);
  }

  /** @throws CodedError `E_URL_NOT_GRANTED`, `E_UPLOAD_NOT_GRANTED`, `E_PUBLISH_NOT_GRANTED` */
  demand(url: string, kind: PatternKind = 'urls', ...others: readonly PatternKind[]): void {
    const allowed = [kind, ...others].some((one) => {
      const { rule, granted } = this.judge(url, one);
      return rule !== undefined && granted;
    });
    if (allowed) return;
    const patterns = this.grant[kind] ?? this.manifest[kind] ?? [];
    throw this.denied(CODES[kind], `denied-${kind}`, `ask for ${url.slice(0, 200)}`, {
      expected: patterns.length === 0 ? `no ${kind} at all` : `one of ${patterns.join(', ')}`,
      action: `add it to plugins.${this.manifest.id}.grant.${kind} in plugins.json, if the manifest wants it`,
    });
  }

  /** The program of that name, if it may be run. @throws CodedError `E_PROGRAM_NOT_GRANTED` */
  program(name: string): ProgramWish {
    const wish = this.manifest.permissions?.programs?.find((program) => program.name === name);
    if (wish !== undefined && this.grant.programs?.includes(name) === true) return wish;
    throw this.denied('E_PROGRAM_NOT_GRANTED', 'denied-programs', `run ${name.slice(0, 100)}`, {
      expected: `one of ${this.grant.programs?.join(', ') ?? 'none'}`,
      action: `name it in plugins.${this.manifest.id}.grant.programs, if the manifest wants it`,
    });
  }

  /** @throws CodedError `E_STATUS_NOT_GRANTED` */
  demandStatus(): void {
    if (this.manifest.permissions?.status === true && this.grant.status === true) return;
    throw this.denied('E_STATUS_NOT_GRANTED', 'denied-status', 'look at the node’s status', {
      action: `set plugins.${this.manifest.id}.grant.status, if the manifest wants it`,
    });
  }

  private prepared(kind: PatternKind): Prepared {
    const granted = this.grant[kind];
    return {
      wished: new PatternSet(this.manifest[kind] ?? []),
      granted: granted === undefined ? undefined : new PatternSet(granted),
    };
  }

  private denied(
    code: string,
    counter: string,
    what: string,
    details: { expected?: string; action?: string },
  ): CodedError {
    this.counters.add(counter);
    return new CodedError(code, `plugin ${this.manifest.id} may not ${what}`, details);
  }
}

/** The wishes that the grant allows; `any` of the grant allows every port that is wished for. */
function narrowed(
  wishes: readonly (number | 'any')[],
  grant: readonly (number | 'any')[] | undefined,
): readonly (number | 'any')[] {
  if (grant === undefined || grant.includes('any')) return wishes;
  return wishes.includes('any') ? grant : wishes.filter((port) => grant.includes(port));
}
