/**
 * Wildcard matching of URLs and user agents: `*` is any run of characters, nothing else is special.
 *
 * Patterns come from settings, texts from clients, so there is no backtracking: each literal part
 * is looked for once, left to right, and the first place that fits is as good as any later one.
 */

/** A pattern cut at its stars, once. */
export class Wildcard {
  private readonly first: string;
  private readonly middle: readonly string[];
  private readonly last: string | undefined;

  constructor(pattern: string) {
    const parts = pattern.split('*');
    this.first = parts[0] ?? '';
    this.middle = parts.slice(1, -1).filter((part) => part !== '');
    this.last = parts.length > 1 ? (parts.at(-1) ?? '') : undefined;
  }

  matches(text: string): boolean {
    if (this.last === undefined) return text === this.first;
    if (!text.startsWith(this.first)) return false;
    let position = this.first.length;
    for (const part of this.middle) {
      const found = text.indexOf(part, position);
      if (found < 0) return false;
      position = found + part.length;
    }
    return text.length - this.last.length >= position && text.endsWith(this.last);
  }
}
