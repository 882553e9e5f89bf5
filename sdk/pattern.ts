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

/** How specific a pattern is: the number of characters that it fixes. */
export function specificity(pattern: string): number {
  return pattern.replaceAll('*', '').length;
}
