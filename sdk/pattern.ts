/**
 * Wildcard patterns of URLs: `*` matches any run of characters, everything else itself. No RegExp:
 * a pattern of a plugin or an admin can never take more than linear-quadratic time (PROTOCOL §9).
 */

/** Whether `text` matches `pattern` as a whole. */
export function matches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p;
      resume = t;
      p += 1;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      resume += 1;
      p = star + 1;
      t = resume;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** A pattern, taken apart once. */
interface Compiled {
  readonly pattern: string;
  /** Its place among those that were given. */
  readonly at: number;
  readonly specificity: number;
  /** What stands before the first `*` and behind the last one; the whole if there is none. */
  readonly head: string;
  readonly tail: string;
}

/**
 * Many patterns, made ready once and asked often. A pattern that fixes scheme and host is looked for
 * under them alone, so that the cost of a URL does not grow with the patterns of other hosts.
 */
export class PatternSet {
  /** Most specific first; of equals the earlier one. */
  private readonly byOrigin = new Map<string, Compiled[]>();
  private readonly others: Compiled[] = [];

  constructor(patterns: readonly string[]) {
    const compiled = patterns.map(compile).sort((a, b) => b.specificity - a.specificity);
    for (const one of compiled) {
      const origin = originOf(one.head);
      if (origin === undefined) this.others.push(one);
      else this.byOrigin.set(origin, [...(this.byOrigin.get(origin) ?? []), one]);
    }
  }

  /** The most specific pattern that matches `text` as a whole; `undefined` if none does. */
  find(text: string): string | undefined {
    const origin = originOf(text);
    const here = origin === undefined ? undefined : this.byOrigin.get(origin);
    const own = here?.find((one) => fits(one, text));
    const other = this.others.find((one) => fits(one, text));
    if (own === undefined || other === undefined) return (own ?? other)?.pattern;
    const ahead = other.specificity - own.specificity || own.at - other.at;
    return ahead > 0 ? other.pattern : own.pattern;
  }
}

function compile(pattern: string, at: number): Compiled {
  const first = pattern.indexOf('*');
  const head = first < 0 ? pattern : pattern.slice(0, first);
  const tail = first < 0 ? pattern : pattern.slice(pattern.lastIndexOf('*') + 1);
  return { pattern, at, specificity: specificity(pattern), head, tail };
}

/** The ends are compared first, for most patterns differ there. */
function fits({ pattern, head, tail }: Compiled, text: string): boolean {
  return text.startsWith(head) && text.endsWith(tail) && matches(pattern, text);
}

/** `scheme://host/` at the beginning of a text; `undefined` if it is not there as a whole. */
function originOf(text: string): string | undefined {
  const host = text.indexOf('://');
  const end = host < 0 ? -1 : text.indexOf('/', host + 3);
  return end < 0 ? undefined : text.slice(0, end + 1);
}

/** How specific a pattern is: the number of characters that it fixes. */
export function specificity(pattern: string): number {
  return pattern.replaceAll('*', '').length;
}
