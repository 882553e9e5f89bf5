/**
 * What a plugin may do: its manifest's wishes, narrowed by the admin's grant, enforced here in the
 * core on every call. Whatever happens in the plugin's process, it gets no further than this.
 */
import { CodedError, type PluginGrant, type PluginManifest } from '@peerage/sdk';
import { Counters } from '../base/bounded.js';
import { matches, specificity } from './pattern.js';

export class Grant {
  readonly counters = new Counters();
  private readonly manifest: PluginManifest;
  private readonly grant: PluginGrant;

  constructor(manifest: PluginManifest, grant: PluginGrant) {
    this.manifest = manifest;
    this.grant = grant;
  }

  /** How well the plugin's own patterns fit a URL that it may ask for; `undefined` if it may not. */
  precedence(url: string): number | undefined {
    const wanted = this.manifest.urls.filter((pattern) => matches(pattern, url));
    const granted = this.grant.urls?.some((pattern) => matches(pattern, url)) ?? true;
    if (wanted.length === 0 || !granted) return undefined;
    return Math.max(...wanted.map(specificity));
  }

  /** @throws CodedError `E_URL_NOT_GRANTED` */
  demand(url: string): void {
    if (this.precedence(url) !== undefined) return;
    this.counters.add('denied-urls');
    throw new CodedError(
      'E_URL_NOT_GRANTED',
      `plugin ${this.manifest.id} may not ask for ${url.slice(0, 200)}`,
      {
        expected: `a URL of ${(this.grant.urls ?? this.manifest.urls).join(', ')}`,
        action: `add it to plugins.${this.manifest.id}.grant.urls in plugins.json, if the manifest wants it`,
      },
    );
  }
}
