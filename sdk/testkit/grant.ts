/** What a plugin may do in a test: the same rules as in the core, over the same patterns. */
import { CodedError, type PluginGrant, type PluginManifest } from '@peerage/sdk';
import { matches } from '@peerage/sdk/pattern.js';

type Kind = 'urls' | 'uploads' | 'publishes';

const CODES: Readonly<Record<Kind, string>> = {
  urls: 'E_URL_NOT_GRANTED',
  uploads: 'E_UPLOAD_NOT_GRANTED',
  publishes: 'E_PUBLISH_NOT_GRANTED',
};

export class TestGrant {
  /** Calls that were denied. */
  denied = 0;
  private readonly manifest: PluginManifest;
  private readonly grant: PluginGrant | undefined;

  constructor(manifest: PluginManifest, grant: PluginGrant | undefined) {
    this.manifest = manifest;
    this.grant = grant;
  }

  /** @throws CodedError as the core does */
  demand(url: string, kind: Kind, ...others: readonly Kind[]): void {
    const fits = (patterns: readonly string[] | undefined) => {
      return (patterns ?? []).some((pattern) => matches(pattern, url));
    };
    const isAllowed = [kind, ...others].some((one) => {
      return fits(this.manifest[one]) && (this.grant?.[one] === undefined || fits(this.grant[one]));
    });
    if (isAllowed) return;
    this.denied += 1;
    throw new CodedError(CODES[kind], `plugin ${this.manifest.id} may not use ${url}`);
  }

  program(name: string) {
    const wish = this.manifest.permissions?.programs?.find((program) => program.name === name);
    const isGranted = this.grant === undefined || this.grant.programs?.includes(name) === true;
    if (wish !== undefined && isGranted) return wish;
    this.denied += 1;
    throw new CodedError('E_PROGRAM_NOT_GRANTED', `plugin ${this.manifest.id} may not run ${name}`);
  }

  demandStatus(): void {
    const isGranted = this.grant === undefined || this.grant.status === true;
    if (this.manifest.permissions?.status === true && isGranted) return;
    this.denied += 1;
    throw new CodedError('E_STATUS_NOT_GRANTED', `plugin ${this.manifest.id} may not look`);
  }
}
