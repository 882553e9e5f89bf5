/**
 * Overheard knowledge of who holds what (§4.2): whoever says "I need X" will soon hold X, and
 * whoever is named in "I found" holds it. Costs no packet. Invariant: at most HINTS_MAX URLs with
 * at most HOLDERS_PER_HINT_MAX holders each, the latest kept.
 */
import { BoundedMap } from '../base/bounded.js';
import { HINTS_MAX, HOLDERS_PER_HINT_MAX } from './limits.js';

export class Hints {
  private readonly holders = new BoundedMap<string, readonly string[]>(HINTS_MAX);

  /** `kid` holds `href`, or will soon. */
  add(href: string, kid: string): void {
    const known = this.holders.touch(href) ?? [];
    if (known[0] === kid) return;
    const others = known.filter((holder) => holder !== kid);
    this.holders.set(href, [kid, ...others].slice(0, HOLDERS_PER_HINT_MAX));
  }

  /** `kid` turned out not to hold `href`. */
  remove(href: string, kid: string): void {
    const left = (this.holders.get(href) ?? []).filter((holder) => holder !== kid);
    if (left.length === 0) this.holders.delete(href);
    else this.holders.set(href, left);
  }

  get(href: string): readonly string[] {
    return this.holders.get(href) ?? [];
  }
}
