/**
 * Lines of ours in a file that is somebody else's: put in between two marks, taken out again so
 * that the file is to the byte what it was. Lines that would contradict ours are kept as comments
 * meanwhile. Pure text; invariant: `withoutLines(withLines(text, …)) === text` for every text that
 * holds no marks, and what others change outside the marks stays changed.
 */
const BEGIN = '# begin peerage';
const END = '# end peerage; `peerage setup` wrote this, --undo takes it out';
const KEPT = '# kept by peerage: ';

export interface Insertion {
  readonly lines: readonly string[];
  /** The section that the lines belong to (`[global]`); the top of the file without one. */
  readonly section?: string;
  /** Lines that say something else about the same, together with their continuation lines. */
  readonly contradicts?: RegExp;
}

/** The text with our lines; those that are there already are replaced. */
export function withLines(text: string, { lines, section, contradicts }: Insertion): string {
  const clean = split(withoutLines(text));
  const kept = contradicts === undefined ? clean : keep(clean, contradicts);
  const at = section === undefined ? 0 : kept.findIndex((line) => line.trim() === section) + 1;
  const head = section !== undefined && at === 0 ? [section] : [];
  return [...kept.slice(0, at), BEGIN, ...head, ...lines, END, ...kept.slice(at)].join('\n');
}

/** The text as it was before. */
export function withoutLines(text: string): string {
  const lines: string[] = [];
  let ours = false;
  for (const line of split(text)) {
    if (line === BEGIN) ours = true;
    else if (line === END) ours = false;
    else if (!ours) lines.push(line.startsWith(KEPT) ? line.slice(KEPT.length) : line);
  }
  return lines.join('\n');
}

const split = (text: string): string[] => text.split('\n');

function keep(lines: readonly string[], contradicts: RegExp): string[] {
  let continuing = false;
  return lines.map((line) => {
    continuing = contradicts.test(line) || (continuing && /^[ \t]+\S/.test(line));
    return continuing ? KEPT + line : line;
  });
}
